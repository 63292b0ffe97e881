//! A host builds a state as it finds it, and asks questions about it.

use nsproxy::uapi::{CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, MS_BIND, MS_RDONLY, MS_REMOUNT};
use nsproxy::{
    CapSet, CloneArgs, Credentials, Extent, HostMount, Kernel, MapKind, NsId, NsKind, NsLink, Placement,
    Resource, Rule,
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

fn own(kernel: &Kernel, kind: NsKind) -> NsId {
    kernel.stat_ns(kernel.init(), kernel.init(), NsLink::Own(kind)).unwrap().id
}

#[test]
fn a_child_outside_its_parents_pid_namespace_is_refused() {
    let mut kernel = Kernel::default();
    let (init, root) = (kernel.init(), own(&kernel, NsKind::Pid));
    let boxed = kernel.clone3(init, &CloneArgs::new(CLONE_NEWPID)).unwrap().task;
    let before = kernel.canonical();
    let outside = Placement::default().within(root);
    let refused = kernel.host_spawn(boxed, &outside, &[], &credentials(0, CapSet::FULL));
    assert_eq!(refused.unwrap_err().rule, Rule::SetnsPidNotBelow);
    assert_eq!(kernel.host_children(boxed, root).unwrap_err().rule, Rule::SetnsPidNotBelow);
    assert_eq!(kernel.canonical(), before);
    assert_eq!(kernel.host_children(init, root), Ok(()));
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_time_namespace_that_a_task_is_in_cannot_be_thawed() {
    let mut kernel = Kernel::default();
    let (init, first) = (kernel.init(), first_user(&kernel));
    let time = own(&kernel, NsKind::Time);
    assert_eq!(kernel.host_frozen(time, false).unwrap_err().rule, Rule::TimeOffsetsFrozen);
    let other = kernel.host_namespace(NsKind::Time, first, 0, None).unwrap();
    assert_eq!(kernel.host_frozen(other, false), Ok(()));
    let place = Placement::default().within(other);
    kernel.host_spawn(init, &place, &[], &credentials(0, CapSet::FULL)).unwrap();
    assert_eq!(kernel.check(), Ok(()), "a task that is put into one freezes it");
    assert_eq!(kernel.host_frozen(other, false).unwrap_err().rule, Rule::TimeOffsetsFrozen);
}

#[test]
fn a_pid_namespace_with_an_unrelated_owner_is_refused() {
    let mut kernel = Kernel::default();
    let first = first_user(&kernel);
    let one = kernel.host_namespace(NsKind::User, first, 1000, None).unwrap();
    let two = kernel.host_namespace(NsKind::User, first, 1000, None).unwrap();
    let pid = kernel.host_namespace(NsKind::Pid, one, 1000, None).unwrap();
    let refused = kernel.host_namespace(NsKind::Pid, two, 1000, Some(pid));
    assert_eq!(refused.unwrap_err().rule, Rule::PidNsOwner);
    let (mut user, mut pid) = (one, pid);
    for _ in 2..=33 {
        user = kernel.host_namespace(NsKind::User, user, 0, None).unwrap();
    }
    for _ in 2..=32 {
        pid = kernel.host_namespace(NsKind::Pid, one, 0, Some(pid)).unwrap();
    }
    assert_eq!(kernel.host_namespace(NsKind::User, user, 0, None).unwrap_err().rule, Rule::UserNsLevel);
    assert_eq!(kernel.host_namespace(NsKind::Pid, one, 0, Some(pid)).unwrap_err().rule, Rule::PidNsLevel);
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_host_chooses_numbers_though_init_has_no_capabilities() {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    kernel.setresuid(init, 1, 1, 1).unwrap();
    let task = kernel.host_spawn(init, &Placement::default(), &[500], &credentials(0, CapSet::FULL)).unwrap();
    assert_eq!(kernel.getpid(task), Ok(500));
}

#[test]
fn an_exited_task_gets_no_descriptor_and_no_root() {
    let mut kernel = Kernel::default();
    let (init, uts) = (kernel.init(), own(&kernel, NsKind::Uts));
    let task = kernel.fork(init).unwrap().task;
    kernel.exit(task, 0).unwrap();
    assert_eq!(kernel.host_fd(task, uts).unwrap_err().rule, Rule::CallerDead);
    assert_eq!(kernel.host_pidfd(task, init).unwrap_err().rule, Rule::CallerDead);
    assert_eq!(kernel.host_root(task, "/tmp").unwrap_err().rule, Rule::CallerDead);
    assert_eq!(kernel.host_path(task, "/new", true).unwrap_err().rule, Rule::CallerDead);
}

#[test]
fn peers_with_masters_of_their_own_make_no_ring_of_masters() {
    let mut kernel = Kernel::default();
    let mnt = kernel.host_namespace(NsKind::Mnt, first_user(&kernel), 0, None).unwrap();
    let group = |shared, master, line| HostMount { shared: Some(shared), master: Some(master), ..line };
    let lines = [
        group(1, 1, line(20, 1, "8:1", "/", "ext4")),
        group(2, 1, line(21, 20, "8:1", "/a", "ext4")),
        group(1, 2, line(22, 20, "8:1", "/b", "ext4")),
    ];
    kernel.host_mounts(mnt, &lines, false).unwrap();
    assert_eq!(kernel.check(), Ok(()));
    kernel.host_release();
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_host_cannot_load_a_map_that_means_two_things() {
    let mut kernel = Kernel::default();
    let all = kernel.namespaces_of(kernel.init()).unwrap();
    let first = all.into_iter().find_map(|(_, ns)| ns.filter(|ns| ns.id.kind() == NsKind::User)).unwrap();
    let user = kernel.host_namespace(NsKind::User, first.id, 0, None).unwrap();
    let extent = |first, lower, count| Extent { first, lower, count };
    for (map, rule) in [
        ([extent(0, 10, 5), extent(4, 90, 1)], Some(Rule::MapOverlap)),
        ([extent(0, 10, 0), extent(4, 90, 1)], Some(Rule::MapWrap)),
        ([extent(0, u32::MAX, 4), extent(4, u32::MAX, 1)], None),
    ] {
        let loaded = kernel.host_id_map(user, MapKind::Uid, &map);
        assert_eq!(loaded.err().map(|denial| denial.rule), rule, "{map:?}");
    }
}

#[test]
fn where_a_filesystem_is_read_only_a_new_one_must_be_too() {
    for (readonly, answer) in [(false, Ok(())), (true, Err(Rule::MountTooRevealing))] {
        let mut kernel = Kernel::default();
        let (init, first) = (kernel.init(), first_user(&kernel));
        let user = kernel.host_namespace(NsKind::User, first, 1000, None).unwrap();
        let [mnt, net] =
            [NsKind::Mnt, NsKind::Net].map(|kind| kernel.host_namespace(kind, user, 1000, None).unwrap());
        let lines =
            [line(20, 1, "8:1", "/", "ext4"), HostMount { readonly, ..line(21, 20, "0:5", "/sys", "sysfs") }];
        kernel.host_mounts(mnt, &lines, false).unwrap();
        let place = Placement::default().within(user).within(mnt).within(net);
        let task = kernel.host_spawn(init, &place, &[], &credentials(1000, CapSet::FULL)).unwrap();
        kernel.host_release();
        let mount = |flags| {
            let asked = kernel.clone().mount(task, "s", "/sys", "sysfs", flags);
            asked.map_err(|denial| denial.rule)
        };
        assert_eq!((mount(0), mount(MS_RDONLY)), (answer, Ok(())));
        assert_eq!(kernel.check(), Ok(()));
    }
}
