//! A process with one thread that makes the calls it is told to.
//!
//! It is this program again, obeying lines: the kinds to unshare, answered with
//! a line of the errno and the links as they read then.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use namespaces::Kinds;

use crate::{LINKS, Seen};

/// What tells this program that it is to be an actor.
pub(crate) const ARGUMENT: &str = "--actor";

/// The tester's side.
pub(crate) struct Actor {
    process: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    links: Vec<String>,
}

impl Actor {
    pub(crate) fn start() -> std::io::Result<Actor> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = process.stdin.take();
        let answers = process.stdout.take().map(BufReader::new).map(BufRead::lines);
        let answers = answers.ok_or_else(|| std::io::Error::other("the actor has no output"))?;
        let mut actor = Actor { process, orders, answers, links: Vec::new() };
        (_, actor.links) = actor.answer()?;
        Ok(actor)
    }

    pub(crate) fn unshare(&mut self, kinds: Kinds) -> std::io::Result<Seen> {
        if let Some(orders) = &mut self.orders {
            writeln!(orders, "{kinds}")?;
        }
        let (answer, links) = self.answer()?;
        let pairs = LINKS.into_iter().zip(links.iter().zip(&self.links));
        let changed = pairs.filter(|(_, (new, old))| new != old).map(|(link, _)| link).collect();
        self.links = links;
        Ok(Seen { answer, changed })
    }

    fn answer(&mut self) -> std::io::Result<(String, Vec<String>)> {
        let line =
            self.answers.next().unwrap_or_else(|| Err(std::io::Error::other("the actor has ended")))?;
        let mut words = line.split('\t').map(str::to_owned);
        Ok((words.next().unwrap_or_default(), words.collect()))
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // The end of its orders is its end.
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}

/// The actor's side.
pub(crate) fn obey() -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    // Its own directory, held from the start: a new pid namespace does not
    // change what it is, but a path could come to mean another process.
    let own = format!("/proc/{}/ns", std::process::id());
    let links = || {
        LINKS.map(|link| {
            std::fs::read_link(format!("{own}/{link}"))
                .map_or_else(|_| "-".to_owned(), |path| path.display().to_string())
        })
    };
    let mut answer = "ok".to_owned();
    let mut orders = std::io::stdin().lock().lines();
    loop {
        if writeln!(stdout, "{answer}\t{}", links().join("\t")).and_then(|()| stdout.flush()).is_err() {
            return ExitCode::FAILURE;
        }
        let Some(Ok(order)) = orders.next() else { return ExitCode::SUCCESS };
        let Ok(kinds) = order.parse::<Kinds>() else { return ExitCode::FAILURE };
        answer = match namespaces::unshare(kinds) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.errno().map_or("?", namespaces::Errno::name).to_owned(),
        };
    }
}
