//! The shortest script that still differs.

use std::time::{Duration, Instant};

use crate::script::{Played, Step, play};
use crate::world::{Stop, World};

/// What kind of difference it is: its words without its numbers.
pub(crate) fn gist(differences: &[String]) -> String {
    let first = differences.first().map_or("", String::as_str);
    // The name of the task, at the front, does not matter.
    let first = first.split_once(' ').map_or(first, |(_, rest)| rest);
    first.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Leaves out as much as can be left out in the time. `make` makes a fresh world.
pub(crate) fn shrink(
    make: &mut dyn FnMut() -> Result<World, Stop>,
    steps: Vec<Step>,
    differences: Vec<String>,
    patience: Duration,
) -> (Vec<Step>, Vec<String>) {
    let until = Instant::now() + patience;
    let wanted = gist(&differences);
    let mut seen = differences;
    let steps = shorten(steps, &mut |steps| {
        if Instant::now() > until {
            return None;
        }
        let (steps, differences) = differs(make, steps, &wanted)?;
        seen = differences;
        Some(steps)
    });
    (steps, seen)
}

/// Leaves out as many steps as can be. `still` says which of some steps were made, if they
/// still do what is wanted.
pub(crate) fn shorten(steps: Vec<Step>, still: &mut dyn FnMut(&[Step]) -> Option<Vec<Step>>) -> Vec<Step> {
    let mut best = steps;
    let mut size = best.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < best.len() {
            let end = (at + size).min(best.len());
            let mut steps = best.clone();
            steps.drain(at..end);
            match still(&steps) {
                Some(shortened) => {
                    best = shortened;
                    shorter = true;
                }
                None => at = end,
            }
        }
        if size > 1 {
            size = size.div_ceil(2);
        } else if !shorter {
            break;
        }
    }
    best
}

/// Whether the script still ends in the same kind of difference, and after which steps.
fn differs(
    make: &mut dyn FnMut() -> Result<World, Stop>,
    steps: &[Step],
    wanted: &str,
) -> Option<(Vec<Step>, Vec<String>)> {
    let mut world = make().ok()?;
    match play(&mut world, steps) {
        Ok(Played::Diverged { made, differences }) if gist(&differences) == wanted => {
            Some((made, differences))
        }
        _ => None,
    }
}
