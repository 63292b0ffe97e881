//! From what the kernel answered, what the model says and what may be, to one verdict.

use nsproxy::Rule;

use super::answer::{Allowed, Refusal, Undecided, Verdict, errno_of};
use super::ask::{Answer, Objects, Refused, ask, steps};
use super::blind::{about_paths, proc_unusable};
use super::cause::{Cause, Outside};
use super::evidence::Evidence;
use super::facts::by_fact;
use super::grounds::grounds;
use super::load::Assumed;
use super::locks::{at_lock, unless_mixed};
use super::lookup;
use super::machine::Machine;
use super::maps::{Reached, reached};
use super::numbers;
use super::question::Question;
use super::remedy::remedies;
use super::state::State;
use super::suppose::{Supposition, suppositions};
use super::trial::{self, Filter, Seen, filter, kinds_of, trial};
use super::usage;
use crate::errno::Errno;
use crate::kind::Kind;

/// All that the deciding works on.
pub(super) struct Case<'a> {
    pub(super) machine: &'a Machine<'a>,
    pub(super) state: &'a State,
    pub(super) question: &'a Question,
    pub(super) objects: Objects,
    /// How far the write of a map comes, if that is the question.
    reached: Option<Reached>,
}

impl<'a> Case<'a> {
    pub(super) fn new(machine: &'a Machine<'a>, state: &'a State, question: &'a Question) -> Case<'a> {
        let mut objects = Objects::read(machine, state, question);
        let reached = reached(machine, &objects, question);
        if reached == Some(Reached::Contents) {
            objects.targets.iter_mut().for_each(|target| target.is_related = true);
        }
        Case { machine, state, question, objects, reached }
    }

    pub(super) fn ask(&self, question: &Question, assumed: &Assumed) -> Option<Answer> {
        ask(self.machine, self.state, &self.objects, question, assumed)
    }

    /// The verdict; `seen` is what the kernel answered, if it was asked already.
    pub(super) fn decide(&self, seen: Seen) -> Verdict {
        let seen = match (seen, &self.reached) {
            (Seen::Nothing, Some(Reached::Refused(..))) => Seen::Refused(Some(0), Errno::EPERM),
            (Seen::Nothing, _) => match self.unwritable().or_else(|| lookup::first_refused(self)) {
                Some(errno) => Seen::Refused(Some(0), errno),
                None if self.lacks_mounts() => Seen::Nothing,
                None => trial(self.machine, self.state, self.question),
            },
            (seen, _) => seen,
        };
        if let Some(verdict) = lookup::of_launch(self, seen) {
            return verdict;
        }
        if let Some(verdict) = seen.errno().and_then(|errno| self.by_fact(errno)) {
            return verdict;
        }
        if let Some(verdict) = self.unseeing(seen) {
            return verdict;
        }
        let Some(as_read) = self.ask(self.question, &Assumed::default()) else {
            return open(seen.errno(), Vec::new(), vec![proc_unusable()]);
        };
        match (seen, as_read) {
            (Seen::Went, Ok(())) => usage::in_use(self).unwrap_or_else(|| self.allowed(true)),
            // That was the launch itself, with helpers that the model does not know.
            (Seen::Went, Err(_)) if matches!(self.question, Question::Launch(_)) => self.allowed(true),
            (Seen::Nothing, Ok(())) => {
                let filtered = self.filtered(None, self.clone_step());
                filtered.or_else(|| usage::in_use(self)).unwrap_or_else(|| self.allowed(false))
            }
            (Seen::Nothing, Err(refused)) => self
                .filtered(None, refused.step)
                .or_else(|| self.not_followed(refused))
                .or_else(|| self.owner_unknown(refused))
                .or_else(|| self.perhaps_locked(refused))
                .unwrap_or_else(|| self.by_rule(refused, &Assumed::default(), None)),
            (Seen::Went, Err(refused)) => self.contradicted(refused),
            (Seen::Killed, _) => self.killed(),
            (Seen::Refused(step, errno), as_read) => unless_mixed(self, self.refused(step, errno, as_read)),
        }
    }

    fn by_fact(&self, errno: Errno) -> Option<Verdict> {
        let (cause, fact) = match &self.reached {
            Some(Reached::Refused(rule, fact)) if errno == Errno::EPERM => ((*rule).into(), fact.clone()),
            _ => by_fact(self, errno)?,
        };
        let remedies = remedies(self, cause, &Assumed::default());
        let followed = about_paths(self.question) && self.blind().is_none();
        let mut evidence = match cause {
            Cause::Rule(rule) if followed => grounds(self, rule, &Assumed::default()),
            _ => Vec::new(),
        };
        evidence.push(fact);
        Some(Verdict::Refused(Refusal { cause, errno: Some(errno), at: None, evidence, remedies }))
    }

    /// The model knows of no modes, and of no files but those that are found.
    fn not_followed(&self, refused: Refused) -> Option<Verdict> {
        let lookup = matches!(refused.denial.rule, Rule::PathMissing | Rule::PathNotDir | Rule::PathAccess);
        lookup.then(|| lookup::any_refused(self)).flatten().and_then(|errno| self.by_fact(errno))
    }

    /// Whether what can't be seen may be the case, and would have the same answer for another
    /// reason.
    fn is_ambiguous(&self, errno: Errno, refused: Refused) -> bool {
        suppositions(self.machine, self.state, self.question, None).into_iter().any(|supposition| {
            let Assumed { chrooted, no_setfcap, locked_mounts, shared_handlers, target_open, .. } =
                supposition.assumed;
            // setns goes by the real ids, links in /proc by those for files.
            let target_open = target_open
                && self
                    .state
                    .status
                    .as_ref()
                    .is_some_and(|own| (own.uids[0], own.gids[0]) != (own.uids[3], own.gids[3]));
            // The rest would be a coincidence: what is read is reason enough.
            let likely = chrooted || no_setfcap || locked_mounts || shared_handlers || target_open;
            let other = if likely { self.ask(self.question, &supposition.assumed) } else { None };
            !supposition.weak
                && other.and_then(Result::err).is_some_and(|other| {
                    errno_of(other.denial.errno) == errno && other.denial.rule != refused.denial.rule
                })
        })
    }

    /// What opening the file of a process answers that is to be written.
    fn unwritable(&self) -> Option<Errno> {
        let pid = match self.question {
            Question::WriteMap { pid, .. }
            | Question::WriteSetgroups { pid, .. }
            | Question::WriteTimeOffsets { pid, .. } => *pid,
            _ => return None,
        };
        self.objects.target(pid)?.writable?.err().filter(|errno| *errno == Errno::EACCES)
    }

    fn refused(&self, step: Option<usize>, errno: Errno, as_read: Answer) -> Verdict {
        let at = step.or_else(|| as_read.err().map(|refused| refused.step)).unwrap_or(0);
        if let Some(verdict) = self.filtered(Some(errno), at) {
            return verdict;
        }
        let beyond = self.beyond_the_model(errno);
        if let Some(verdict) = beyond.or_else(|| numbers::perhaps_exhausted(self, errno)) {
            return verdict;
        }
        let fits = |refused: &Refused| {
            errno_of(refused.denial.errno) == errno
                && step.is_none_or(|step| step == refused.step)
                && self.is_reached(refused.denial.rule)
        };
        if let Some(refused) = as_read.err().filter(fits)
            && (errno != Errno::ENOSPC || !self.several_kinds())
            && !self.objects.is_unsure(self.state)
            && !self.is_ambiguous(errno, refused)
        {
            return self.by_rule(refused, &Assumed::default(), None);
        }
        let mut found: Vec<(Cause, Refused, Supposition)> = Vec::new();
        for supposition in suppositions(self.machine, self.state, self.question, Some(errno)) {
            let Some(Err(refused)) = self.ask(self.question, &supposition.assumed) else { continue };
            // What is refused anyway needs no supposition.
            if fits(&refused) && as_read != Err(refused) && supposition.leads_to(refused.denial.rule) {
                let cause = supposition.cause(refused.denial.rule);
                if !found.iter().any(|(known, ..)| *known == cause) {
                    found.push((cause, refused, supposition));
                }
            }
        }
        // A limit that was read is nearer than what is not likely.
        let is_read = errno == Errno::ENOSPC && as_read.err().is_some_and(|refused| fits(&refused));
        if is_read || found.iter().any(|(.., supposition)| !supposition.weak) {
            found.retain(|(.., supposition)| !supposition.weak);
        }
        if let Some(refused) = as_read.err().filter(fits) {
            found.insert(0, (Cause::Rule(refused.denial.rule), refused, supposed_nothing()));
        }
        let causes: Vec<Cause> = found.iter().map(|(cause, ..)| *cause).collect();
        if let Some(stays) = at_lock(self, &causes) {
            found.retain(|(cause, ..)| stays(*cause));
        }
        if errno == Errno::ENOSPC {
            self.keep_refused_kind(&mut found);
        }
        self.choose(errno, at, found, as_read)
    }

    /// Whether the call comes as far as to this rule and no further.
    fn is_reached(&self, rule: Rule) -> bool {
        let before = matches!(
            rule,
            Rule::MapOpenAccess | Rule::MapInitNs | Rule::MapOpener | Rule::MapAlreadySet | Rule::MapAdmin
        );
        self.reached != Some(Reached::Contents) || !before
    }

    fn choose(
        &self,
        errno: Errno,
        at: usize,
        mut found: Vec<(Cause, Refused, Supposition)>,
        as_read: Answer,
    ) -> Verdict {
        match found.len() {
            0 => self.unexplained(errno, at, as_read),
            // Nothing speaks for what is outside the rules and weak.
            1 if found[0].2.weak && found[0].2.outside.is_some() => {
                let causes = vec![found[0].0, Cause::Outside(Outside::Unknown)];
                open(Some(errno), causes, vec![found[0].2.because.clone()])
            }
            1 => {
                let (cause, refused, supposition) = found.remove(0);
                let read = as_read == Err(refused) && supposition.assumed == Assumed::default();
                self.named(cause, refused, &supposition.assumed, Some(&supposition).filter(|_| !read))
            }
            _ => {
                let causes = found.iter().map(|(cause, ..)| *cause).collect();
                let evidence = found.iter().map(|(.., supposition)| supposition.because.clone()).collect();
                let mut verdict = open(Some(errno), causes, evidence);
                if let Verdict::Undecided(open) = &mut verdict {
                    open.probe = Some(separating(&open.causes));
                }
                verdict
            }
        }
    }

    /// Whether the flags ask for more than one kind.
    fn several_kinds(&self) -> bool {
        self.flags()
            .is_some_and(|flags| (flags & u64::from(crate::kind::Kinds::ALL.flags())).count_ones() > 1)
    }

    pub(super) fn flags(&self) -> Option<u64> {
        match self.question {
            Question::Unshare(flags) | Question::Clone(flags) => Some(*flags),
            Question::Launch(plan) => plan.steps().iter().find_map(|step| match &step.step {
                crate::plan::Step::Unshare(kinds) => Some(u64::from(kinds.flags())),
                crate::plan::Step::Clone { kinds, .. } if !kinds.is_empty() => Some(u64::from(kinds.flags())),
                _ => None,
            }),
            _ => None,
        }
    }

    /// Making one kind after the other tells whose limit it is.
    fn keep_refused_kind(&self, found: &mut Vec<(Cause, Refused, Supposition)>) {
        let Some(kinds) = self.flags().map(kinds_of).filter(|_| self.several_kinds()) else { return };
        if let Some((first, Errno::ENOSPC)) =
            self.machine.first_refused(kinds, self.state.security.may_filter())
        {
            found.retain(|(cause, ..)| kind_of(*cause).is_none_or(|kind| kind == first));
        }
    }

    /// Whether a filter answers in the kernel's place.
    pub(super) fn filtered(&self, errno: Option<Errno>, at: usize) -> Option<Verdict> {
        if !self.state.security.may_filter() || self.state.security.userns_clone == Some(0) {
            return None;
        }
        let (says, answer) = match filter(self.machine, self.question, at) {
            Filter::Answers(shown, answer) => (
                Evidence::call(
                    shown,
                    format!("is answered with {answer}, which the kernel never says to that"),
                ),
                Some(answer),
            ),
            Filter::Kills(shown) => (Evidence::call(shown, "is answered by killing the process"), None),
            Filter::None(_) | Filter::Unknown => return None,
        };
        let clone3 = says.to_string().starts_with("clone3");
        let cause = match answer {
            Some(answer) if clone3 && answer != Errno::ENOSYS => Outside::Clone3Filtered,
            _ => Outside::Seccomp,
        };
        let mode = self
            .state
            .security
            .seccomp
            .map_or("can't be read".to_owned(), |mode| format!("has Seccomp: {mode}"));
        let mut evidence = vec![Evidence::file("/proc/self/status", mode), says];
        if self.state.status.as_ref().is_some_and(|status| status.no_new_privs) {
            evidence.push(Evidence::file("/proc/self/status", "has NoNewPrivs: 1"));
        }
        Some(self.outside(cause, errno.or(answer), at, evidence))
    }

    fn killed(&self) -> Verdict {
        let evidence = vec![Evidence::call(self.question.to_string(), "kills the process that makes it")];
        self.outside(Outside::Seccomp, None, 0, evidence)
    }

    /// The step of a launch that makes the process.
    fn clone_step(&self) -> usize {
        let Question::Launch(plan) = self.question else { return 0 };
        plan.steps().iter().position(|step| matches!(step.step, crate::plan::Step::Clone { .. })).unwrap_or(0)
    }

    /// Switches and kernels that the model has no rule for.
    fn beyond_the_model(&self, errno: Errno) -> Option<Verdict> {
        let security = &self.state.security;
        let user = self.flags().is_some_and(|flags| flags & u64::from(Kind::User.flag()) != 0);
        if let Some(value) =
            security.userns_enable.as_ref().filter(|value| user && value.starts_with(['N', '0']))
        {
            let evidence = vec![Evidence::file(super::state::USERNS_ENABLE, format!("is {value}"))];
            return Some(self.outside(Outside::UserNamespaceDisabled, Some(errno), 0, evidence));
        }
        if let Some(version) = &security.sandbox {
            let evidence = vec![Evidence::file("/proc/version", format!("is {version:?}"))];
            return Some(self.outside(Outside::SandboxedKernel, Some(errno), 0, evidence));
        }
        if errno == Errno::ENOSYS {
            let release = self.state.release.as_deref().unwrap_or("unknown");
            let evidence = vec![Evidence::file("/proc/sys/kernel/osrelease", format!("is {release}"))];
            if has_all_calls(release) {
                let mut causes = vec![Outside::SandboxedKernel, Outside::Unknown];
                if security.may_filter() {
                    causes.insert(0, Outside::Seccomp);
                }
                return Some(open(Some(errno), causes.into_iter().map(Cause::Outside).collect(), evidence));
            }
            return Some(self.outside(Outside::OldKernel, Some(errno), 0, evidence));
        }
        None
    }

    pub(super) fn by_rule(
        &self,
        refused: Refused,
        assumed: &Assumed,
        supposition: Option<&Supposition>,
    ) -> Verdict {
        self.named(Cause::Rule(refused.denial.rule), refused, assumed, supposition)
    }

    fn named(
        &self,
        cause: Cause,
        refused: Refused,
        assumed: &Assumed,
        supposition: Option<&Supposition>,
    ) -> Verdict {
        if self.may_trace_all() && matches!(cause, Cause::Rule(Rule::PtraceAccess | Rule::SetnsTargetAccess))
        {
            return self.refused_by_module(errno_of(refused.denial.errno));
        }
        let mut evidence = match cause {
            Cause::Rule(rule) => grounds(self, rule, assumed),
            Cause::Outside(_) => Vec::new(),
        };
        if let Some(supposition) = supposition {
            if !evidence.contains(&supposition.because) {
                evidence.push(supposition.because.clone());
            }
            if supposition.outside.is_none() || supposition.weak {
                evidence.push(Evidence::inferred(
                    "every other cause of this answer was looked at and is not the case",
                ));
            }
        }
        Verdict::Refused(Refusal {
            cause,
            errno: Some(errno_of(refused.denial.errno)),
            at: self.at(refused.step),
            evidence,
            remedies: remedies(self, cause, assumed),
        })
    }

    /// With `CAP_SYS_PTRACE` in the first user namespace ptrace(2) lets look into every process.
    fn may_trace_all(&self) -> bool {
        self.state.is_first() && self.state.has(crate::caps::Capabilities::SYS_PTRACE)
    }

    /// What the rules allow to the caller is refused by a security module, if one is active.
    fn refused_by_module(&self, errno: Errno) -> Verdict {
        let says = format!("has CAP_SYS_PTRACE over {}, which is enough", self.state.name(Kind::User));
        let mut evidence = vec![Evidence::file("/proc/self/status", says)];
        let security = &self.state.security;
        if let Some(modules) = &security.modules {
            evidence.push(Evidence::file(security.modules_from, format!("lists {}", modules.join(","))));
        }
        let causes = [Outside::SecurityModule, Outside::Unknown].map(Cause::Outside);
        open(Some(errno), causes.to_vec(), evidence)
    }

    pub(super) fn outside(
        &self,
        outside: Outside,
        errno: Option<Errno>,
        at: usize,
        evidence: Vec<Evidence>,
    ) -> Verdict {
        let cause = Cause::Outside(outside);
        let remedies = remedies(self, cause, &Assumed::default());
        Verdict::Refused(Refusal { cause, errno, at: self.at(at), evidence, remedies })
    }

    /// The step, if there are several.
    pub(super) fn at(&self, step: usize) -> Option<String> {
        let all = steps(self.question);
        if all.len() > 1 { all.get(step).cloned() } else { None }
    }

    /// The kernel refused, and nothing known is the reason.
    fn unexplained(&self, errno: Errno, at: usize, as_read: Answer) -> Verdict {
        let says = match as_read {
            Ok(()) => "the rules that the kernel is known to follow allow this call".to_owned(),
            Err(Refused { denial, .. }) => {
                format!("by what could be read the answer is {}: {}", denial.errno, denial.rule.says())
            }
        };
        let mut evidence = vec![Evidence::inferred(says)];
        let security = &self.state.security;
        if let Some(modules) = &security.modules {
            evidence.push(Evidence::file(security.modules_from, format!("lists {}", modules.join(","))));
        }
        if let Some(mode) = security.seccomp {
            evidence.push(Evidence::file("/proc/self/status", format!("has Seccomp: {mode}")));
        }
        let mut causes = vec![Cause::Outside(Outside::Unknown)];
        if security.may_filter() {
            causes.insert(0, Cause::Outside(Outside::Seccomp));
        }
        let mut verdict = open(Some(errno), causes, evidence);
        if let Verdict::Undecided(open) = &mut verdict {
            let step = self.at(at).unwrap_or_else(|| self.question.to_string());
            open.probe = Some(format!(
                "strace -f shows whether the kernel is asked at all: look for {step}; then look into dmesg"
            ));
        }
        verdict
    }

    fn contradicted(&self, refused: Refused) -> Verdict {
        let says = refused.denial.rule.says();
        let evidence = vec![
            Evidence::inferred(format!("by what could be read it should be refused: {says}")),
            Evidence::call(self.question.to_string(), "was tried in a process of its own, and went"),
        ];
        open(None, vec![Cause::Rule(refused.denial.rule)], evidence)
    }

    /// What nobody but the kernel knows, and was not tried.
    fn unasked(&self, tried: bool) -> Option<Evidence> {
        match self.question {
            // The options of an overlay are looked at.
            Question::Mount { data, fstype, .. } if !tried && !data.is_empty() && fstype != "overlay" => {
                let says =
                    format!("the options {data:?} are for the file system, which was not asked about them");
                Some(Evidence::question(says))
            }
            Question::Mount { fstype, flags, .. }
                if !tried && fstype != "overlay" && trial::is_of_files(fstype, *flags) =>
            {
                let says =
                    format!("what {fstype} says to its source, and to having no options, was not asked");
                Some(Evidence::question(says))
            }
            _ => None,
        }
    }

    pub(super) fn allowed(&self, tried: bool) -> Verdict {
        let mut unknown = Vec::new();
        if !tried {
            for supposition in suppositions(self.machine, self.state, self.question, None) {
                let refused = self.ask(self.question, &supposition.assumed).and_then(Result::err);
                let relevant = refused.is_some_and(|refused| supposition.leads_to(refused.denial.rule));
                if relevant && !supposition.weak {
                    unknown.push(supposition.because);
                }
            }
        }
        unknown.extend(self.unasked(tried));
        if usage::users(self).is_some_and(|users| users.unread) {
            let says = "there are processes that can't be looked at: one of them may use the mount";
            unknown.push(Evidence::inferred(says));
        }
        if !tried {
            unknown.extend(self.state.security.perhaps_filtered());
        }
        let notes = super::notes::notes(self);
        Verdict::Allowed(Allowed { steps: super::notes::effects(self), notes, tried, unknown })
    }
}

impl Seen {
    pub(super) fn errno(self) -> Option<Errno> {
        match self {
            Seen::Refused(_, errno) => Some(errno),
            _ => None,
        }
    }
}

fn supposed_nothing() -> Supposition {
    Supposition {
        assumed: Assumed::default(),
        outside: None,
        because: Evidence::inferred("by what could be read alone it is the first of these"),
        weak: false,
    }
}

/// The kind whose limit a cause is.
fn kind_of(cause: Cause) -> Option<Kind> {
    let Cause::Rule(rule) = cause else { return None };
    limit_kind(rule)
}

/// The kind whose limit a rule is about.
pub(super) fn limit_kind(rule: Rule) -> Option<Kind> {
    Some(match rule {
        Rule::UserNsCount | Rule::UserNsLevel => Kind::User,
        Rule::MntNsCount => Kind::Mnt,
        Rule::UtsNsCount => Kind::Uts,
        Rule::IpcNsCount => Kind::Ipc,
        Rule::PidNsCount | Rule::PidNsLevel => Kind::Pid,
        Rule::CgroupNsCount => Kind::Cgroup,
        Rule::NetNsCount => Kind::Net,
        Rule::TimeNsCount => Kind::Time,
        _ => return None,
    })
}

/// Whether a kernel of this release has every call that is asked about: `mount_setattr(2)` of 5.12
/// is the latest.
fn has_all_calls(release: &str) -> bool {
    let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
    let version = (numbers.next(), numbers.next());
    version >= (Some(5), Some(12))
}

pub(super) fn open(errno: Option<Errno>, causes: Vec<Cause>, evidence: Vec<Evidence>) -> Verdict {
    Verdict::Undecided(Undecided { errno, causes, evidence, probe: None })
}

/// What would tell these apart.
fn separating(causes: &[Cause]) -> String {
    let has = |rule: Rule| causes.contains(&Cause::Rule(rule));
    if has(Rule::UserNsLevel) || causes.iter().any(|cause| kind_of(*cause).is_some()) {
        "as root outside: lsns --tree shows how deep this is, and nsenter -t PID -U sysctl user shows the limits of each user namespace above".to_owned()
    } else if has(Rule::UserNsChrooted) {
        "as root outside: compare readlink /proc/PID/root with that of another process in the same mount namespace".to_owned()
    } else if has(Rule::MapNotPermitted) || has(Rule::MapRootNeedsSetfcap) {
        "from the parent user namespace: ns show PID names whose the user namespace is".to_owned()
    } else {
        "ask again as root of the parent user namespace, which sees more".to_owned()
    }
}
