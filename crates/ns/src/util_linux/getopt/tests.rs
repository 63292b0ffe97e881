use std::ffi::OsString;
use std::fmt::Write;

use super::super::failure::What;
use super::super::table::{Complete, Opt, Takes, Value};
use super::{Operands, Parser};

const FILE: Value = Value::new("FILE", Complete::File);

static TABLE: [Opt<char>; 7] = [
    Opt::new('n', b'n', "net", Takes::OptionalLong(FILE), ""),
    Opt::new('m', b'm', "mount", Takes::Optional(FILE), ""),
    Opt::new('p', 0, "mount-proc", Takes::Optional(FILE), ""),
    Opt::new('u', 0, "map-user", Takes::Required(FILE), ""),
    Opt::new('U', 0, "map-users", Takes::Required(FILE), ""),
    Opt::new('f', b'f', "fork", Takes::Nothing, ""),
    Opt::new('S', b'S', "setuid", Takes::Required(FILE), ""),
];

/// Options as letters with their arguments, then a bar and the operands; or
/// the complaint.
fn parse(operands: Operands, line: &str) -> String {
    let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let mut parser = Parser::new(&TABLE, operands, &words);
    let mut seen = String::new();
    loop {
        match parser.next() {
            Ok(Some((id, argument))) => {
                seen.push(id);
                if let Some(argument) = argument {
                    let _ = write!(seen, "({})", argument.to_str().unwrap());
                }
            }
            Ok(None) => break,
            Err(failure) => {
                let What::Usage(line) = failure.what else { panic!("{failure:?}") };
                return String::from_utf8(line).unwrap();
            }
        }
    }
    let operands: Vec<&str> = parser.operands().iter().map(|word| word.to_str().unwrap()).collect();
    format!("{seen}|{}", operands.join(" "))
}

#[test]
fn words_mean_what_they_mean_to_getopt() {
    for (line, meaning) in [
        ("", "|"),
        ("prog -f", "|prog -f"),
        ("-f prog -f", "f|prog -f"),
        ("-f -- -f", "f|-f"),
        ("-f - -f", "f|- -f"),
        ("-fm prog", "fm|prog"),
        ("-mf prog", "m(f)|prog"),
        ("-nf --net=x", "nfn(x)|"),
        ("-n=x", "invalid option -- '='"),
        ("-fS5 -S 6 -S=7", "fS(5)S(6)S(=7)|"),
        ("-fS -- x", "fS(--)|x"),
        ("--mount FILE", "m|FILE"),
        ("--mount=FILE", "m(FILE)|"),
        ("--mount= x", "m()|x"),
        ("--mount-p --fo --set=1 --setu 2", "pfS(1)S(2)|"),
        ("--map-user 1 --map-users 2", "u(1)U(2)|"),
        ("--map-user=a=b", "u(a=b)|"),
        ("--mo", "option '--mo' is ambiguous; possibilities: '--mount' '--mount-proc'"),
        ("--ma=1", "option '--ma=1' is ambiguous; possibilities: '--map-user' '--map-users'"),
        (
            "--=x",
            "option '--=x' is ambiguous; possibilities: '--net' '--mount' '--mount-proc' '--map-user' '--map-users' '--fork' '--setuid'",
        ),
        ("--bogus=1", "unrecognized option '--bogus=1'"),
        ("--forkx", "unrecognized option '--forkx'"),
        ("--fork=1", "option '--fork' doesn't allow an argument"),
        ("--fo=", "option '--fork' doesn't allow an argument"),
        ("--set", "option '--setuid' requires an argument"),
        ("-fx", "invalid option -- 'x'"),
        ("-f=1", "invalid option -- '='"),
        ("-fS", "option requires an argument -- 'S'"),
    ] {
        assert_eq!(parse(Operands::End, line), meaning, "{line}");
    }
}

#[test]
fn operands_mix_with_options_where_they_may() {
    for (line, meaning) in [
        ("a -f b --mount c", "fm|a b c"),
        ("a -- -f b", "|a -f b"),
        ("a -f -- --b c", "f|a --b c"),
        ("- -f", "f|-"),
    ] {
        assert_eq!(parse(Operands::Mix, line), meaning, "{line}");
    }
}
