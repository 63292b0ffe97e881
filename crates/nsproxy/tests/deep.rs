//! Things that hold each other in long chains end without a call for each link.

use nsproxy::uapi::{CLONE_NEWNS, CLONE_NEWUSER, MNT_DETACH, MS_BIND, MS_REC};
use nsproxy::{CloneArgs, Kernel, NsKind, NsLink, Params, TaskId};

const LINKS: usize = if cfg!(miri) { 20 } else { 100_000 };

/// Runs on a stack that a call for each link would overflow many times.
fn on_a_small_stack(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(test);
    thread.expect("a thread starts").join().expect("the test passes");
}

/// Binds the mount namespace of a child over a file of its parent's, `LINKS` times.
fn chain_of_mount_namespaces(kernel: &mut Kernel) -> Vec<TaskId> {
    let init = kernel.init();
    kernel.mknod(init, "/f").unwrap();
    let first = kernel.fork(init).unwrap().task;
    kernel.unshare(first, CLONE_NEWNS).unwrap();
    let mut all = vec![first];
    for _ in 0..LINKS {
        let at = all[all.len() - 1];
        let child = kernel.clone3(at, &CloneArgs::new(CLONE_NEWNS)).unwrap();
        let number = i32::try_from(child.pid).unwrap();
        let fd = kernel.open_ns(at, number, NsLink::Own(NsKind::Mnt)).unwrap();
        kernel.bind_namespace(at, fd, "/f").unwrap();
        kernel.close(at, fd).unwrap();
        all.push(child.task);
    }
    all
}

#[test]
fn mount_namespaces_that_hold_each_other_end_one_after_the_other() {
    on_a_small_stack(|| {
        let mut kernel = Kernel::default();
        let all = chain_of_mount_namespaces(&mut kernel);
        for task in all.iter().skip(1).rev() {
            kernel.exit(*task, 0).unwrap();
        }
        let init = kernel.init();
        assert_eq!(kernel.namespaces().len(), 8 + LINKS + 1);
        kernel.exit(all[0], 0).unwrap();
        assert_eq!(kernel.namespaces().len(), 8, "the first exit frees them all");
        assert!(kernel.fork(init).is_ok());
        if cfg!(miri) {
            assert_eq!(kernel.check(), Ok(()));
        }
    });
}

#[test]
fn locked_mounts_stacked_on_each_other_end_one_after_the_other() {
    on_a_small_stack(|| {
        let mut kernel = Kernel::boot(Params { mount_max: 1_000_000, ..Params::default() });
        let init = kernel.init();
        let outer = kernel.fork(init).unwrap().task;
        kernel.unshare(outer, CLONE_NEWNS).unwrap();
        kernel.mount(outer, "x", "/mnt", "tmpfs", 0).unwrap();
        kernel.mkdir(outer, "/mnt/d").unwrap();
        for _ in 0..LINKS / 20 {
            kernel.mount(outer, "x", "/mnt/d", "tmpfs", 0).unwrap();
        }
        let inner = kernel.clone3(outer, &CloneArgs::new(CLONE_NEWNS | CLONE_NEWUSER)).unwrap();
        // The copy's top is free to go; what is locked on it stays on it, and ends with it.
        kernel.mount(inner.task, "/mnt", "/tmp", "", MS_BIND | MS_REC).unwrap();
        assert_eq!(kernel.umount(inner.task, "/tmp", MNT_DETACH), Ok(()));
        assert_eq!(kernel.check(), Ok(()));
        for task in [inner.task, outer] {
            kernel.exit(task, 0).unwrap();
        }
        while !matches!(kernel.wait4(init, -1, 1), Err(_) | Ok(nsproxy::Waited::Nothing)) {}
        assert_eq!(kernel.check(), Ok(()));
    });
}
