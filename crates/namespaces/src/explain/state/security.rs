//! What may refuse from outside the namespace rules.

use super::Machine;
use crate::explain::evidence::Evidence;

/// Filters, security modules and switches.
#[derive(Clone, Debug, Default)]
pub(in crate::explain) struct Security {
    /// `Seccomp` in `/proc/self/status`: 0 none, 1 strict, 2 a filter.
    pub(in crate::explain) seccomp: Option<u8>,
    /// The names of the active security modules; `None` if that can't be read.
    pub(in crate::explain) modules: Option<Vec<String>>,
    /// Where they were read.
    pub(in crate::explain) modules_from: &'static str,
    /// `/proc/self/attr/current` and the like: the label of this process.
    pub(in crate::explain) label: Option<String>,
    pub(in crate::explain) label_from: &'static str,
    /// `kernel.apparmor_restrict_unprivileged_userns`
    pub(in crate::explain) apparmor_userns: Option<u64>,
    /// `kernel.unprivileged_userns_clone`, of Debian and its kin.
    pub(in crate::explain) userns_clone: Option<u64>,
    /// The boot parameter `user_namespace.enable`, of RHEL 7.
    pub(in crate::explain) userns_enable: Option<String>,
    /// `/sys/fs/selinux/enforce`
    pub(in crate::explain) selinux_enforce: Option<u64>,
    /// `kernel.yama.ptrace_scope`
    pub(in crate::explain) yama: Option<u64>,
    /// What `/proc/version` says if it is not Linux.
    pub(in crate::explain) sandbox: Option<String>,
}

pub(in crate::explain) const APPARMOR_USERNS: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
pub(in crate::explain) const USERNS_CLONE: &str = "/proc/sys/kernel/unprivileged_userns_clone";
pub(in crate::explain) const USERNS_ENABLE: &str = "/sys/module/user_namespace/parameters/enable";
pub(in crate::explain) const SELINUX_ENFORCE: &str = "/sys/fs/selinux/enforce";
pub(in crate::explain) const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

const LSM_FILE: &str = "/sys/kernel/security/lsm";
/// By number minus 100: `LSM_ID_*` of `linux/lsm.h`.
const MODULES: [&str; 14] = [
    "capability",
    "selinux",
    "smack",
    "tomoyo",
    "apparmor",
    "yama",
    "loadpin",
    "safesetid",
    "lockdown",
    "bpf",
    "landlock",
    "ima",
    "evm",
    "ipe",
];

impl Security {
    pub(super) fn read(machine: &Machine<'_>) -> Security {
        let (modules, modules_from) = modules(machine);
        let labels = ["/proc/self/attr/apparmor/current", "/proc/self/attr/current"];
        let label = labels.into_iter().find_map(|path| {
            let text = machine.text(path).ok().filter(|text| !text.is_empty())?;
            Some((text.trim_end_matches('\0').to_owned(), path))
        });
        let version = machine.text("/proc/version").ok();
        Security {
            seccomp: seccomp(machine),
            modules,
            modules_from,
            label_from: label.as_ref().map_or("/proc/self/attr/current", |(_, path)| path),
            label: label.map(|(label, _)| label),
            apparmor_userns: machine.number(APPARMOR_USERNS),
            userns_clone: machine.number(USERNS_CLONE),
            userns_enable: machine.text(USERNS_ENABLE).ok(),
            selinux_enforce: machine.number(SELINUX_ENFORCE),
            yama: machine.number(YAMA),
            sandbox: version.filter(|text| text.contains("gVisor") || text.contains("gvisor")),
        }
    }

    /// Whether a filter may answer calls; unknown counts as yes.
    pub(in crate::explain) fn may_filter(&self) -> bool {
        self.seccomp != Some(0)
    }

    /// What may answer in the kernel's place to a call that is not tried.
    pub(in crate::explain) fn perhaps_filtered(&self) -> Option<Evidence> {
        let says = "has Seccomp: 2: there is a filter, which may refuse it";
        (self.seccomp == Some(2)).then(|| Evidence::file("/proc/self/status", says))
    }

    pub(in crate::explain) fn has_module(&self, name: &str) -> bool {
        self.modules.as_ref().is_some_and(|modules| modules.iter().any(|module| module == name))
    }

    /// Whether the label names a profile that confines.
    pub(in crate::explain) fn is_confined(&self) -> bool {
        self.label.as_ref().is_some_and(|label| {
            let unconfined = label.starts_with("unconfined") || label.contains(":unconfined_t:");
            !unconfined && !label.ends_with("(complain)") && !label.ends_with("(unconfined)")
        })
    }
}

fn seccomp(machine: &Machine<'_>) -> Option<u8> {
    let text = machine.text("/proc/thread-self/status").ok()?;
    text.lines().find_map(|line| line.strip_prefix("Seccomp:"))?.trim().parse().ok()
}

fn modules(machine: &Machine<'_>) -> (Option<Vec<String>>, &'static str) {
    if let Ok(text) = machine.text(LSM_FILE) {
        return (Some(text.split(',').map(str::to_owned).collect()), LSM_FILE);
    }
    let named = |id: u64| {
        let name = id.checked_sub(100).and_then(|at| MODULES.get(usize::try_from(at).ok()?));
        name.map_or_else(|| format!("module {id}"), |name| (*name).to_owned())
    };
    (
        machine.eyes().security_modules().ok().map(|ids| ids.into_iter().map(named).collect()),
        "lsm_list_modules(2)",
    )
}
