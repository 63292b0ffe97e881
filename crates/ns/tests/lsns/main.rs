//! `lsns` beside the `lsns` of util-linux, in a world of namespaces made for it.
//!
//! The peer is the system's, or those in the directories that `NS_UTIL_LINUX`
//! names, separated by colons. Exit status, standard output and the first line
//! of standard error are compared.

#![allow(unreachable_pub)]

mod cases;
mod differences;
mod peer;
mod random;
mod run;
mod world;

use peer::Peer;
use run::{Words, compare};
use testkit::{require, require_namespaces, require_root};
use world::World;

/// Compares all cases in one world, and says what differs.
fn compare_all(world: &World, peers: &[Peer]) {
    // Who may not see what ours does better sees no difference.
    let seen = |case: &&cases::Case| case.better.is_none() || !world.is_of_nobody();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for peer in peers {
        for case in cases::all().filter(|case| case.is_for(peer)).filter(seen) {
            compared += 1;
            let words = Words::parse(case.line, world);
            let same = compare(world, peer, &words);
            match (same, case.better) {
                (Err(difference), None) => wrong.push(format!("{} {}\n{difference}", peer.name(), case.line)),
                (Ok(()), Some(reason)) => {
                    wrong.push(format!(
                        "{} {}\nnow the same, but said to be better: {reason}",
                        peer.name(),
                        case.line
                    ));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 0, "nothing was compared");
}

#[test]
fn the_same_command_lines_in_a_world_of_processes() {
    require_namespaces!();
    let peers = Peer::all();
    require!(!peers.is_empty(), "there is no lsns of util-linux to compare with");
    require!(World::can_be_made(), "others have bound namespaces to files here");
    compare_all(&World::plain(), &peers);
}

#[test]
fn the_same_command_lines_in_a_world_with_namespaces_without_a_process() {
    require_namespaces!();
    require!(World::can_be_made(), "others have bound namespaces to files here");
    // Older releases do not find them, or do not say the same of them.
    let peers: Vec<Peer> = Peer::all().into_iter().filter(|peer| peer.is_at_least(2, 42)).collect();
    if !peers.is_empty() {
        compare_all(&World::full(), &peers);
    }
}

#[test]
fn the_same_command_lines_for_a_user_who_may_not_see_all() {
    require_root!();
    let peers = Peer::all();
    require!(!peers.is_empty(), "there is no lsns of util-linux to compare with");
    require!(World::can_be_made(), "others have bound namespaces to files here");
    compare_all(&World::of_nobody(), &peers);
}

#[test]
fn random_command_lines() {
    require_namespaces!();
    let peers = Peer::all();
    require!(!peers.is_empty(), "there is no lsns of util-linux to compare with");
    require!(World::can_be_made(), "others have bound namespaces to files here");
    for peer in peers {
        let world = if peer.is_at_least(2, 42) { World::full() } else { World::plain() };
        random::compare_many(&world, &peer);
    }
}

#[test]
fn the_suite_is_large_enough() {
    let count = cases::all().count();
    assert!(count >= 250, "only {count}");
}
