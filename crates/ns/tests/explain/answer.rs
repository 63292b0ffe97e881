//! Situations, and answers of `ns explain --json` in them.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Outcome, outcome};

/// The `ns` under test.
pub(crate) const NS: &str = env!("CARGO_BIN_EXE_ns");

/// Runs words, with no input and messages in English.
pub(crate) fn run(words: &[&str]) -> Outcome {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).env("LC_ALL", "C").env("NO_COLOR", "1");
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    outcome(&mut command)
}

/// Where a call is made: the words before a command that bring it there.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a>(pub(crate) &'a [&'a str]);

/// Where the test itself is.
pub(crate) const HERE: Place<'_> = Place(&[]);

/// An ordinary user: the test's own, or nobody if the test is root.
pub(crate) fn user() -> Place<'static> {
    if testkit::is_root() {
        Place(&["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])
    } else {
        HERE
    }
}

impl Place<'_> {
    /// Runs words there.
    pub(crate) fn run(self, words: &[&str]) -> Outcome {
        run(&[self.0, words].concat())
    }

    /// Makes the call for real, and sees it refused with this message.
    #[track_caller]
    pub(crate) fn refuses(self, words: &[&str], message: &str) {
        let done = self.run(words);
        assert_ne!(done.code, Some(0), "{words:?} went");
        assert!(done.stderr.contains(message), "{words:?}: {}", done.stderr);
    }

    /// Runs words that must succeed; answers with what they print.
    #[track_caller]
    pub(crate) fn grants(self, words: &[&str]) -> String {
        let done = self.run(words);
        assert_eq!(done.code, Some(0), "{words:?}: {done:?}");
        done.stdout
    }

    /// Runs a shell there that must succeed.
    #[track_caller]
    pub(crate) fn shell(self, script: &str) -> String {
        self.grants(&["sh", "-ec", script])
    }

    /// Asks there.
    #[track_caller]
    pub(crate) fn explain(self, words: &[&str]) -> Answer {
        let done = self.run(&[&[NS, "explain", "--json"], words].concat());
        Answer::of(&done.stdout).unwrap_or_else(|| panic!("{words:?}: {done:?}"))
    }

    /// Asks after a shell script has prepared the place. The script has `$NS`, and its last
    /// output is the answer.
    #[track_caller]
    pub(crate) fn script(self, script: &str) -> Answer {
        let script =
            format!("NS='{NS}'; explain() {{ $NS explain --json \"$@\" || test $? -ne 2; }}\n{script}");
        let done = self.run(&["bash", "-ec", &script]);
        Answer::of(&done.stdout).unwrap_or_else(|| panic!("{script}: {done:?}"))
    }
}

/// An answer, as programs get it.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Value);

impl Answer {
    /// The JSON at the end of some output.
    pub(crate) fn of(text: &str) -> Option<Answer> {
        let start = if text.starts_with('{') { 0 } else { text.find("\n{")? + 1 };
        serde_json::from_str(&text[start..]).ok().map(Answer)
    }

    fn text(&self, of: &str) -> String {
        self.0[of].to_string()
    }

    /// Refused by this cause.
    #[track_caller]
    pub(crate) fn refused(&self, cause: &str) -> &Answer {
        assert_eq!(self.0["verdict"], "refused", "{:#}", self.0);
        assert_eq!(self.0["cause"]["id"], cause, "{:#}", self.0);
        self
    }

    /// Refused with this error number.
    #[track_caller]
    pub(crate) fn errno(&self, name: &str) -> &Answer {
        assert_eq!(self.0["errno"]["name"], name, "{:#}", self.0);
        self
    }

    /// One of these, and it says so.
    #[track_caller]
    pub(crate) fn undecided(&self, causes: &[&str]) -> &Answer {
        assert_eq!(self.0["verdict"], "undecided", "{:#}", self.0);
        let found: Vec<&str> =
            self.0["causes"].as_array().unwrap().iter().filter_map(|c| c["id"].as_str()).collect();
        assert_eq!(found, causes, "{:#}", self.0);
        self
    }

    #[track_caller]
    pub(crate) fn allowed(&self) -> &Answer {
        assert_eq!(self.0["verdict"], "allowed", "{:#}", self.0);
        self
    }

    /// The evidence has a line with this in it, at this place.
    #[track_caller]
    pub(crate) fn seen(&self, place: &str, says: &str) -> &Answer {
        let all = self.0["evidence"].as_array().unwrap();
        let found = all.iter().any(|line| {
            line["place"].as_str().unwrap_or_default().contains(place)
                && line["says"].as_str().unwrap_or_default().contains(says)
        });
        assert!(found, "no {place:?} {says:?} in {:#}", self.0["evidence"]);
        self
    }

    /// A remedy says this.
    #[track_caller]
    pub(crate) fn helps(&self, says: &str) -> &Answer {
        assert!(self.text("remedies").contains(says), "no {says:?} in {:#}", self.0["remedies"]);
        self
    }

    /// The command of the first remedy that has this in it, with its placeholders filled in.
    #[track_caller]
    pub(crate) fn command(&self, has: &str, fill: &[(&str, &str)]) -> String {
        let all = self.0["remedies"].as_array().unwrap();
        let command =
            all.iter().filter_map(|remedy| remedy["command"].as_str()).find(|command| command.contains(has));
        let command = command.unwrap_or_else(|| panic!("no {has:?} in {:#}", self.0["remedies"]));
        let own = format!("{NS} ");
        let command =
            if let Some(rest) = command.strip_prefix("ns ") { own + rest } else { command.to_owned() };
        fill.iter().fold(command, |command, (from, to)| command.replace(from, to))
    }
}
