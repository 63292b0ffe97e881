//! What both sides must have in common.

use std::fmt::Write;

use super::{Case, Fixture, Outcome, Peer, ours, peers, run};

/// What is compared, freed of what differs from run to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: Option<i32>,
    pub stdout: String,
    /// The first line.
    pub said: String,
}

impl Answer {
    pub fn of(outcome: &Outcome, fixture: &Fixture) -> Answer {
        let said = normal(outcome.stderr.lines().next().unwrap_or_default(), fixture);
        let said = without_pids(&said);
        Answer { status: outcome.status, stdout: normal(&outcome.stdout, fixture), said }
    }
}

/// Gives the numbers of namespaces and of the targets names.
fn normal(text: &str, fixture: &Fixture) -> String {
    let mut text = text.to_owned();
    for (pid, name) in fixture.names() {
        text = replace_number(&text, &pid.to_string(), name);
    }
    let mut named = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(":[") {
        let (before, after) = rest.split_at(at);
        let digits = after[2..].bytes().take_while(u8::is_ascii_digit).count();
        let kind = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        named.push_str(before);
        if digits == 0 || after.as_bytes().get(2 + digits) != Some(&b']') {
            named.push_str(":[");
            rest = &after[2..];
            continue;
        }
        let _ = write!(named, ":[{}]", whose(kind, &after[..digits + 3], fixture));
        rest = &after[digits + 3..];
    }
    named.push_str(rest);
    named
}

/// Whose namespace has the number in `link`, which is `:[NUMBER]`.
fn whose(kind: &str, link: &str, fixture: &Fixture) -> &'static str {
    let is = |pid: &str| {
        std::fs::read_link(format!("/proc/{pid}/ns/{kind}"))
            .is_ok_and(|found| found.to_str().is_some_and(|found| found.ends_with(link)))
    };
    // As root, each line has a mount namespace of its own.
    if is("self") {
        return "own";
    }
    let names = fixture.names();
    names.into_iter().find(|(pid, _)| is(&pid.to_string())).map_or("other", |(_, name)| name)
}

/// Replaces `number` where it is not part of a longer one.
fn replace_number(text: &str, number: &str, name: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(number) {
        let (before, after) = rest.split_at(at);
        let tail = &after[number.len()..];
        let inside =
            before.ends_with(|c: char| c.is_ascii_digit()) || tail.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(before);
        out.push_str(if inside { number } else { name });
        rest = tail;
    }
    out + rest
}

/// `/proc/1234/` and `/proc/self/` in a message are the same.
fn without_pids(text: &str) -> String {
    let mut parts = text.split("/proc/");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let rest = if digits > 0 { &part[digits..] } else { part.strip_prefix("self").unwrap_or(part) };
        let _ = write!(out, "/proc/{}{rest}", if rest.len() < part.len() { "PID" } else { "" });
    }
    out
}

/// Where the two differ, in words.
pub fn differ(theirs: &Answer, ours: &Answer, words: bool) -> Option<String> {
    let mut text = String::new();
    if theirs.status != ours.status {
        let _ = writeln!(text, "  status: theirs {:?}, ours {:?}", theirs.status, ours.status);
    }
    if words && theirs.said != ours.said {
        let _ = writeln!(text, "  says: theirs {:?}\n         ours {:?}", theirs.said, ours.said);
    }
    if theirs.stdout != ours.stdout {
        let (theirs, ours): (Vec<&str>, Vec<&str>) =
            (theirs.stdout.lines().collect(), ours.stdout.lines().collect());
        for i in 0..theirs.len().max(ours.len()) {
            if theirs.get(i) != ours.get(i) {
                let _ =
                    writeln!(text, "  line {}: theirs {:?}, ours {:?}", i + 1, theirs.get(i), ours.get(i));
            }
        }
        if text.is_empty() {
            text.push_str("  the end of the last line\n");
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Runs the lines of a table and says where something is not as it should be.
pub fn check_all(table: &str) {
    let fixture = Fixture::new();
    let all = super::cases(table);
    let root = testkit::is_root();
    let mine: Vec<&Case> = all.iter().filter(|case| if root { !case.user } else { !case.root }).collect();
    let mut complaints = String::new();
    let mut newer = 0;
    let subids = namespaces::subordinate_uids(rustix::process::geteuid().as_raw()).is_ok();
    for case in &mine {
        if case.subids && !subids {
            testkit::skip(&case.line, "this user has no subordinate ids");
            continue;
        }
        newer += usize::from(peers().iter().all(|peer| case.since.is_some_and(|since| since > peer.release)));
        complaints.push_str(&check(case, &fixture));
    }
    let releases: Vec<(u32, u32)> = peers().iter().map(|peer| peer.release).collect();
    println!("{} lines beside {releases:?}, {newer} of them newer than all of these", mine.len());
    assert!(complaints.is_empty(), "\n{complaints}");
}

/// Runs one line, and answers with what is wrong with ours.
pub fn check(case: &Case, fixture: &Fixture) -> String {
    let outcome = run(ours(), &case.line, fixture);
    let answer = Answer::of(&outcome, fixture);
    let mut wrong = String::new();
    if !outcome.left.is_empty() {
        let _ = writeln!(wrong, "  left behind: {:?}", outcome.left);
    }
    if case.ends.is_some() && case.ends != answer.status {
        let _ = writeln!(
            wrong,
            "  ends {:?}, wanted {:?}: {}",
            answer.status,
            case.ends,
            outcome.stderr.trim_end()
        );
    }
    if let Some(says) = case.says.as_ref().filter(|says| **says != answer.said) {
        let _ = writeln!(wrong, "  says {:?}, wanted {says:?}", answer.said);
    }
    if let Some(prints) = case.prints.as_ref().filter(|prints| **prints != answer.stdout.trim_end()) {
        let _ = writeln!(wrong, "  prints {:?}, wanted {prints:?}", answer.stdout.trim_end());
    }
    if case.better.is_none() {
        for peer in peers().iter().filter(|peer| case.since.is_none_or(|since| since <= peer.release)) {
            if let Some(difference) = beside(peer, case, &answer, fixture) {
                let _ =
                    write!(wrong, "  beside util-linux {}.{}:\n{difference}", peer.release.0, peer.release.1);
            }
        }
    }
    if wrong.is_empty() { wrong } else { format!("{}\n{wrong}", case.line) }
}

fn beside(peer: &Peer, case: &Case, ours: &Answer, fixture: &Fixture) -> Option<String> {
    let mut theirs = Answer::of(&run(&peer.tools, &case.line, fixture), fixture);
    if case.text {
        // That there is some is all.
        if theirs.stdout.is_empty() == ours.stdout.is_empty() {
            theirs.stdout.clone_from(&ours.stdout);
        }
    }
    differ(&theirs, ours, case.words.is_none_or(|words| words <= peer.release))
}
