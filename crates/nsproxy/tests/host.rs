//! A host builds a state as it finds it, and asks questions about it.

use nsproxy::uapi::CLONE_NEWUTS;
use nsproxy::{CapSet, Credentials, Extent, Kernel, MapKind, NsKind, NsLink, Placement, Rule};

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
