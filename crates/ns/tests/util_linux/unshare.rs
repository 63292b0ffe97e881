//! `unshare`, table by table.

use super::harness::check_all;

macro_rules! tables {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                testkit::require_namespaces!();
                check_all(include_str!(concat!("cases/unshare/", stringify!($name), ".txt")));
            }
        )*
    };
}

tables! { options kinds maps ranges mounts identity processes environment persistence }
