//! For fish.

use std::fmt::Write;

use super::super::table::{About, Complete};
use super::{names, required, runs_a_program};

pub(super) fn script(about: &About) -> String {
    let (name, rows) = (about.name, (about.options)());
    let mut out = format!("# fish completion for {name}\n\ncomplete -c {name} -f\n");
    let mut condition = String::new();
    if runs_a_program(about) {
        let wanting: Vec<String> =
            rows.iter().filter(|row| required(row).is_some()).flat_map(|row| names(row)).collect();
        let wanting = wanting.join(" ");
        // What follows the program belongs to it.
        let _ = write!(
            out,
            "
function __{name}_no_program
    set -l words (commandline -opc)
    set -l skip 1
    for word in $words[2..-1]
        if test $skip -eq 0
            set skip 1
        else if contains -- $word {wanting}
            set skip 0
        else if not string match -q -- '-*' $word; or test $word = --
            return 1
        end
    end
end

complete -c {name} -a '(__fish_complete_subcommand {wanting})'
"
        );
        condition = format!(" -n __{name}_no_program");
    }
    for row in rows {
        let _ = write!(out, "complete -c {name}{condition}");
        if let Some(letter) = row.short {
            let _ = write!(out, " -s {}", char::from(letter));
        }
        let _ = write!(out, " -l {} -d '{}'", row.long, row.help.replace('\'', "\\'"));
        if let Some(value) = row.takes.value() {
            // Without -r the argument is one that is glued.
            out.push_str(if required(row).is_some() { " -x" } else { "" });
            out.push_str(&words(value.complete));
        }
        out.push('\n');
    }
    out
}

fn words(complete: Complete) -> String {
    match complete {
        Complete::Nothing => String::new(),
        Complete::File => {
            " -a '(__fish_complete_path (string replace -r \"^-[^=]*=?\" \"\" -- (commandline -ct)))'"
                .to_owned()
        }
        Complete::Directory => " -a '(__fish_complete_directories)'".to_owned(),
        Complete::User => " -a '(__fish_complete_users)'".to_owned(),
        Complete::Group => " -a '(__fish_complete_groups)'".to_owned(),
        Complete::Signal => " -a '(kill -l | string split \" \" | string replace -r ^ SIG)'".to_owned(),
        Complete::Process => " -a '(__fish_complete_pids)'".to_owned(),
        Complete::Words(words) => format!(" -a '{}'", words.join(" ")),
        Complete::List(words) => {
            format!(" -a '(__fish_complete_list , \"printf %s\\\\n {}\")'", words.join(" "))
        }
    }
}
