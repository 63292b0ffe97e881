//! Explaining without a free descriptor. The only test here: the limit is the whole process's.

use namespaces::Kind;
use namespaces::explain::{Cause, Machine, Question, Rule};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

#[test]
fn calls_that_need_no_descriptor_tell_of_a_lack_of_privilege() {
    let had = capabilities(None).unwrap();
    set_capabilities(None, CapabilitySets { effective: CapabilitySet::empty(), ..had }).unwrap();
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
    let ask = |question: &Question| Machine::here().explain(question);
    let answers = [
        (ask(&Question::unshare(Kind::Net)), Rule::UnshareNeedsAdmin),
        (ask(&Question::clone_with(Kind::Net)), Rule::NamespacesNeedAdmin),
        (ask(&Question::Chroot("/".to_owned())), Rule::ChrootPrivilege),
        (ask(&Question::Umount { target: "/".to_owned(), flags: 0 }), Rule::MountPrivilege),
    ];
    setrlimit(Resource::Nofile, before).unwrap();
    for (answer, rule) in answers {
        assert_eq!(answer.cause(), Some(Cause::Rule(rule)), "{answer:?}");
    }
}
