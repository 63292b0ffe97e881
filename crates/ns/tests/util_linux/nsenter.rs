//! `nsenter`, table by table.

use super::harness::check_all;

macro_rules! tables {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                testkit::require_namespaces!();
                check_all(include_str!(concat!("cases/nsenter/", stringify!($name), ".txt")));
            }
        )*
    };
}

tables! { options namespaces identity directories processes }
