//! For bash.

use std::fmt::Write;

use super::super::table::{About, Complete, Takes};
use super::{names, required, runs_a_program};

/// Where the options end and what the word at the cursor is.
const WALK: &str = r#"    local cur=$2 wants= word
    local -i i last start=0
    local -a joined=() at=()
    # `=` and `:` come as words of their own.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        last=$((${#joined[@]} - 1))
        if [[ $last -ge 0 && ( $word == [=:]* || ${joined[last]} == *[=:] ) ]]; then
            joined[last]+=$word
        else
            joined+=("$word")
            at+=("$i")
        fi
    done
    last=$((${#joined[@]} - 1))
    for ((i = 0; i < last && start == 0; i++)); do
        word=${joined[i]}
        if [[ $wants ]]; then
            wants=
        elif [[ $word == -- ]]; then
            start=${at[i + 1]}
        elif [[ $word != -?* ]]; then
            start=${at[i]}
        elif _NAME_wants "$word"; then
            wants=$word
        fi
    done
"#;

pub(super) fn script(about: &About) -> String {
    let rows = (about.options)();
    let name = about.name;
    let mut out = format!("# bash completion for {name}\n\n");
    // Which words want the next one.
    let _ = writeln!(out, "_{name}_wants() {{\n    case $1 in");
    let long: Vec<String> =
        rows.iter().filter(|row| required(row).is_some()).map(|row| format!("--{}", row.long)).collect();
    let _ = writeln!(out, "        {}) return 0 ;;\n        --*) return 1 ;;", long.join(" | "));
    let letters = |wanted: fn(Takes) -> bool| -> String {
        rows.iter().filter(|row| wanted(row.takes)).filter_map(|row| row.short).map(char::from).collect()
    };
    let end = letters(|takes| matches!(takes, Takes::Required(_)));
    let glued = letters(|takes| matches!(takes, Takes::Required(_) | Takes::Optional(_)));
    // A letter before it that takes the rest of the word has it all.
    let _ = writeln!(out, "        -*[{end}])");
    let _ =
        writeln!(out, "            local before=${{1%?}}\n            [[ ${{before#-}} != *[{glued}]* ]] ;;");
    let _ = writeln!(out, "        *) return 1 ;;\n    esac\n}}\n");

    let _ = writeln!(out, "_{name}() {{\n    COMPREPLY=()");
    out.push_str(&WALK.replace("NAME", name));
    out.push_str(
        r"    local option=$wants
    if [[ ! $wants && $start -eq 0 && ${joined[last]} == --*=* ]]; then
        option=${joined[last]%%=*}
        cur=${joined[last]#*=}
    elif [[ ! $wants ]]; then
",
    );
    let program = format!(
        r#"        if [[ $start -gt 0 && $start -lt $COMP_CWORD ]]; then
            if declare -F _command_offset >/dev/null; then
                _command_offset $start
            else
                compopt -o default 2>/dev/null
            fi
            return
        elif [[ $start -gt 0 || $cur != -* ]]; then
            if [[ $cur == */* ]]; then
                compopt -o filenames 2>/dev/null
                COMPREPLY=($(compgen -f -- "$cur"))
            else
                COMPREPLY=($(compgen -c -- "$cur"))
            fi
            return
        fi
        COMPREPLY=($(compgen -W "{}" -- "$cur"))
        return
    fi
"#,
        rows.iter().flat_map(|row| names(row)).collect::<Vec<_>>().join(" ")
    );
    if runs_a_program(about) {
        out.push_str(&program);
    } else {
        let options = rows.iter().flat_map(|row| names(row)).collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            out,
            "        [[ $cur == -* ]] && COMPREPLY=($(compgen -W \"{options}\" -- \"$cur\"))\n        return\n    fi"
        );
    }
    // A cluster wants what its last letter does.
    out.push_str("    [[ $option == -[!-]?* ]] && option=-${option: -1}\n    case $option in\n");
    for row in rows {
        if let Some(value) = row.takes.value() {
            let _ =
                writeln!(out, "        {})\n{}            ;;", names(row).join(" | "), words(value.complete));
        }
    }
    let _ = writeln!(out, "    esac\n}}\n\ncomplete -F _{name} {name}");
    out
}

/// The words for one argument.
fn words(complete: Complete) -> String {
    let files = "            compopt -o filenames 2>/dev/null\n";
    let reply = |how: &str| format!("            COMPREPLY=($(compgen {how} -- \"$cur\"))\n");
    match complete {
        Complete::Nothing => "            :\n".to_owned(),
        Complete::File => files.to_owned() + &reply("-f"),
        Complete::Directory => files.to_owned() + &reply("-d"),
        Complete::User => reply("-u"),
        Complete::Group => reply("-g"),
        Complete::Signal => reply("-A signal"),
        Complete::Process => reply("-W \"$(cd /proc && echo [0-9]*)\""),
        Complete::Words(words) => reply(&format!("-W \"{}\"", words.join(" "))),
        Complete::List(words) => format!(
            r#"            compopt -o nospace 2>/dev/null
            local part=${{cur##*,}}
            part=${{part#+}}
            COMPREPLY=($(compgen -P "${{cur%"$part"}}" -W "{}" -- "$part"))
"#,
            words.join(" ")
        ),
    }
}
