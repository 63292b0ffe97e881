//! The program: where it may be found, its arguments, its environment.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{Lowering, c_string};
use crate::error::Result;
use crate::plan::Step;
use crate::spawn::Spawn;

impl Lowering<'_> {
    pub(super) fn execute(&mut self) -> Result<()> {
        let spawn = self.spawn;
        let untouched = !spawn.env_cleared && spawn.env.is_empty();
        let env = if untouched { None } else { Some(environment(spawn)) };
        let path = match &env {
            None => std::env::var_os("PATH"),
            Some(env) => env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()),
        };
        let envp = env.map(|env| env.iter().map(|(name, value)| pair(name, value)).collect()).transpose()?;
        self.push(self.last, Step::Signals { keep: spawn.in_place.inherit });
        let Some(program) = &spawn.program else {
            self.push(self.last, Step::LoginShell { envp });
            return Ok(());
        };
        let name = spawn.arg0.as_ref().unwrap_or(program);
        let argv = std::iter::once(name).chain(&spawn.args);
        let argv = argv.map(|arg| c_string("argument", arg)).collect::<Result<_>>()?;
        let candidates = candidates(program, path.as_deref())?;
        self.push(self.last, Step::Execute { candidates, argv, envp });
        Ok(())
    }
}

/// The environment of the program, in the caller's order with changes last.
fn environment(spawn: &Spawn) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> =
        if spawn.env_cleared { Vec::new() } else { std::env::vars_os().collect() };
    for (name, value) in &spawn.env {
        env.retain(|(known, _)| known != name);
        if let Some(value) = value {
            env.push((name.clone(), value.clone()));
        }
    }
    env
}

fn pair(name: &OsStr, value: &OsStr) -> Result<CString> {
    let mut pair = name.to_owned();
    pair.push("=");
    pair.push(value);
    c_string("environment variable", &pair)
}

/// The paths where the caller would find `program`.
pub(crate) fn path_candidates(program: &str) -> Result<Vec<CString>> {
    candidates(program.as_ref(), std::env::var_os("PATH").as_deref())
}

/// The paths that `execvp(3)` would try.
pub(super) fn candidates(program: &OsStr, path: Option<&OsStr>) -> Result<Vec<CString>> {
    if program.is_empty() {
        return Ok(Vec::new());
    }
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string("program", program)?]);
    }
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    let candidate = |dir: &[u8]| {
        let mut file = dir.to_vec();
        if !dir.is_empty() {
            file.push(b'/');
        }
        file.extend_from_slice(program.as_bytes());
        c_string("program", &OsString::from_vec(file))
    };
    path.as_bytes().split(|b| *b == b':').map(candidate).collect()
}
