//! Answers of both sides in the same words.

use nsproxy::op::Reply;
use nsproxy::{Denial, Errno, NsAnswer, PidfdAnswer, Waited};

use crate::real::call::Answer;

/// The model's answer, with its reason if it is a refusal.
pub(crate) fn model(answer: &Result<Reply, Denial>) -> String {
    match answer {
        Ok(reply) => of_reply(reply),
        Err(denial) => format!("{} {}", denial.errno, denial.rule),
    }
}

fn of_reply(reply: &Reply) -> String {
    match reply {
        Reply::Done => String::from("ok"),
        Reply::Number(number) | Reply::Ns(NsAnswer::Number(number)) => number.to_string(),
        Reply::Fd(fd) | Reply::Ns(NsAnswer::Fd(fd)) | Reply::Pidfd(PidfdAnswer::Fd(fd)) => fd.to_string(),
        Reply::Child(child) => of_child(child.pid.into(), child.pidfd),
        Reply::Waited(Waited::Reaped { pid, status, .. }) => of_waited((*pid).into(), *status),
        Reply::Waited(_) => String::from("nothing"),
        Reply::Ns(NsAnswer::Mounts { count, .. }) => format!("{count} mounts"),
        Reply::Message(message) => of_message(message.as_deref()),
        Reply::Ids(ids) => of_ids(ids),
        Reply::Pidfd(PidfdAnswer::Info(info)) => format!("{info:?}"),
    }
}

/// The kernel's answer.
pub(crate) fn kernel(answer: &Answer) -> String {
    match answer {
        Answer::Refused(errno) => {
            let known = Errno::ALL.iter().find(|known| i32::from(known.number()) == *errno);
            known.map_or_else(|| format!("errno {errno}"), ToString::to_string)
        }
        Answer::Number(number) => number.to_string(),
        Answer::Child { pid, pidfd } => of_child(*pid, *pidfd),
        Answer::Waited { pid, status } => of_waited(*pid, *status),
        Answer::Mounts { count, .. } => format!("{count} mounts"),
        Answer::Message(message) => of_message(message.as_deref()),
        Answer::Ids(ids) => of_ids(ids),
        Answer::Info(words) => format!("{words:?}"),
        Answer::Pending => String::from("no answer"),
    }
}

fn of_child(pid: u64, pidfd: Option<i32>) -> String {
    let pidfd = pidfd.map(|fd| format!(" with pidfd {fd}"));
    format!("child {pid}{}", pidfd.unwrap_or_default())
}

fn of_waited(pid: u64, status: u32) -> String {
    format!("child {pid} has ended with status {status}")
}

fn of_message(message: Option<&[u8]>) -> String {
    let text = message.map(|bytes| format!("message \"{}\"", bytes.escape_ascii()));
    text.unwrap_or_else(|| String::from("no message"))
}

fn of_ids(ids: &[u64]) -> String {
    format!("ids {ids:?}")
}
