//! A host builds a state as it finds it, and asks questions about it.

use nsproxy::uapi::{CLONE_NEWUSER, CLONE_NEWUTS, MS_BIND, MS_RDONLY, MS_REMOUNT};
use nsproxy::{
    CapSet, Credentials, Extent, HostMount, Kernel, MapKind, NsId, NsKind, NsLink, Placement, Resource, Rule,
};

fn credentials(uid: u32, caps: CapSet) -> Credentials {
    Credentials {
        uids: [uid; 4],
        gids: [uid; 4],
        groups: Vec::new(),
        caps: [CapSet::EMPTY, caps, caps, CapSet::FULL, CapSet::EMPTY],
        securebits: 0,
        no_new_privs: false,
        dumpable: true,
    }
}

#[test]
fn a_container_is_rebuilt_from_what_proc_shows() {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    let [.., (_, Some(first_user)), _, _, _, _] = kernel.namespaces_of(init).unwrap() else {
        panic!("init has a user namespace");
    };
    let user = kernel.host_namespace(NsKind::User, first_user.id, 1000, None).unwrap();
    let pid = kernel.host_namespace(NsKind::Pid, user, 1000, None).unwrap();
    let mnt = kernel.host_namespace(NsKind::Mnt, user, 1000, None).unwrap();
    let map = [Extent { first: 0, lower: 1000, count: 1 }];
    kernel.host_id_map(user, MapKind::Uid, &map).unwrap();
    kernel.host_id_map(user, MapKind::Gid, &map).unwrap();
    let place = Placement::default().within(user).within(pid).within(mnt);
    let inside = kernel.host_spawn(init, &place, &[1, 4242], &credentials(1000, CapSet::FULL)).unwrap();
    kernel.host_release();
    assert_eq!(kernel.check(), Ok(()));
    assert_eq!(kernel.getpid(inside), Ok(1));
    assert_eq!(kernel.find_task(init, 4242), Some(inside));
    assert_eq!(kernel.status(inside, inside).unwrap().uids, [0; 4]);

    // What if it unshared its uts namespace? And what would a neighbour be told?
    let mut what_if = kernel.clone();
    assert_eq!(what_if.unshare(inside, CLONE_NEWUTS), Ok(()));
    let neighbour =
        kernel.host_spawn(init, &Placement::default(), &[], &credentials(1001, CapSet::EMPTY)).unwrap();
    let denial = kernel.stat_ns(neighbour, inside, NsLink::Own(NsKind::Mnt)).unwrap_err();
    assert_eq!(denial.rule, Rule::PtraceAccess);
    assert_eq!(kernel.check(), Ok(()));
}

fn line(id: u64, parent: u64, device: &str, mountpoint: &str, fstype: &str) -> HostMount {
    HostMount {
        id,
        parent,
        device: device.into(),
        root: "/".into(),
        mountpoint: mountpoint.into(),
        fstype: fstype.into(),
        ..HostMount::default()
    }
}

fn first_user(kernel: &Kernel) -> NsId {
    let links = kernel.namespaces_of(kernel.init()).unwrap();
    links.iter().find(|(link, _)| *link == NsLink::Own(NsKind::User)).unwrap().1.unwrap().id
}

#[test]
fn a_mount_tree_is_rebuilt_from_mountinfo() {
    let mut kernel = Kernel::default();
    let (init, first) = (kernel.init(), first_user(&kernel));
    let user = kernel.host_namespace(NsKind::User, first, 1000, None).unwrap();
    let mnt = kernel.host_namespace(NsKind::Mnt, user, 1000, None).unwrap();
    let mut lines = vec![
        HostMount { shared: Some(7), ..line(20, 1, "8:1", "/", "ext4") },
        HostMount { locked: true, ..line(21, 20, "0:5", "/proc", "proc") },
        HostMount { locked: true, flags: MS_RDONLY, ..line(22, 21, "0:6", "/proc/kcore", "tmpfs") },
        HostMount { shared: Some(7), ..line(23, 20, "8:1", "/srv/copy", "ext4") },
    ];
    lines[3].root = "/home".into();
    assert_eq!(kernel.host_mounts(mnt, &lines, false).as_deref(), Ok("/"));
    let place = Placement::default().within(user).within(mnt);
    let task = kernel.host_spawn(init, &place, &[], &credentials(1000, CapSet::FULL)).unwrap();
    kernel.host_path(task, "/srv/copy/me", true).unwrap();
    kernel.host_release();
    assert_eq!(kernel.check(), Ok(()));
    let shown = kernel.mountinfo(task).unwrap();
    let points: Vec<&str> = shown.iter().map(|line| line.mountpoint.as_str()).collect();
    assert_eq!(points, ["/", "/proc", "/proc/kcore", "/srv/copy"]);
    assert_eq!(shown[3].root, "/home");
    assert_eq!(shown[3].propagation, shown[0].propagation);
    assert_eq!(kernel.umount(task, "/proc/kcore", 0).unwrap_err().rule, Rule::UmountLocked);
    assert_eq!(
        kernel.mount(task, "", "/proc/kcore", "", MS_REMOUNT | MS_BIND).unwrap_err().rule,
        Rule::RemountLocked
    );
    assert_eq!(kernel.chdir(task, "/home/me"), Ok(()), "two mounts of one filesystem show the same files");
    assert_eq!(kernel.umount(task, "/srv/copy", 0), Ok(()));
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_chroot_and_what_is_shared_are_rebuilt() {
    for lines in [vec![], vec![line(20, 3, "0:9", "/", "tmpfs"), line(21, 20, "0:5", "/proc", "proc")]] {
        let mut kernel = Kernel::default();
        let (init, first) = (kernel.init(), first_user(&kernel));
        let mnt = kernel.host_namespace(NsKind::Mnt, first, 0, None).unwrap();
        let root = kernel.host_mounts(mnt, &lines, true).unwrap();
        let place = Placement::default().within(mnt);
        let task = kernel.host_spawn(init, &place, &[], &credentials(0, CapSet::FULL)).unwrap();
        kernel.host_root(task, &root).unwrap();
        kernel.host_release();
        assert_eq!(kernel.check(), Ok(()));
        assert_eq!(kernel.mountinfo(task).unwrap().len(), lines.len());
        assert_eq!(kernel.unshare(task, CLONE_NEWUSER).unwrap_err().rule, Rule::UserNsChrooted);

        let mut threads = kernel.clone();
        threads.host_thread(task).unwrap();
        assert_eq!(threads.check(), Ok(()));
        assert_eq!(threads.unshare(task, CLONE_NEWUSER).unwrap_err().rule, Rule::UnshareThreads);

        kernel.host_fs_sharer(task).unwrap();
        let fd = kernel.host_fd(task, mnt).unwrap();
        assert_eq!(kernel.check(), Ok(()));
        assert_eq!(kernel.setns(task, fd, 0).unwrap_err().rule, Rule::SetnsMntSharedFs);
        kernel.host_rlimit(task, Resource::Nproc, 0).unwrap();
        let poor =
            kernel.host_spawn(task, &Placement::default(), &[], &credentials(7, CapSet::EMPTY)).unwrap();
        let pidfd = kernel.host_pidfd(poor, task).unwrap();
        assert_eq!(kernel.setns(poor, pidfd, 0x2_0000).unwrap_err().rule, Rule::SetnsTargetAccess);
        kernel.host_rlimit(poor, Resource::Nproc, 0).unwrap();
        assert_eq!(kernel.fork(poor).unwrap_err().rule, Rule::ForkNproc);
        assert_eq!(kernel.check(), Ok(()));
    }
}
