use super::*;

fn refused(text: &str) -> MapError {
    match text.parse::<IdMap>() {
        Err(crate::Error::Map(error)) => error,
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn each_rule_of_a_map() {
    assert!(matches!(refused(""), MapError::Syntax { line: 1, .. }));
    assert!(matches!(refused("0 0"), MapError::Syntax { .. }));
    assert!(matches!(refused("0 0 1 2"), MapError::Syntax { .. }));
    assert!(matches!(refused("+0 0 1"), MapError::Syntax { .. }));
    assert!(matches!(refused("0x0 0 1"), MapError::Syntax { .. }));
    assert!(matches!(refused("0 0 4294967296"), MapError::Syntax { .. }));
    assert!(matches!(refused("0 0 1\n\n1 1 1"), MapError::Syntax { line: 2, .. }));
    assert_eq!(refused("0 0 0"), MapError::Empty { line: 1 });
    assert_eq!(refused("4294967295 0 1"), MapError::TooHigh { line: 1 });
    assert_eq!(refused("0 2 4294967294"), MapError::TooHigh { line: 1 });
    assert_eq!(refused("0 0 5\n4 9 1"), MapError::Overlap { line: 2, other: 1 });
    assert_eq!(refused("0 0 5\n9 4 1"), MapError::Overlap { line: 2, other: 1 });
    assert_eq!(IdMap::new([]), Err(MapError::NoLines));
    let many = (0..341).map(|i| Extent::new(i, i, 1));
    assert_eq!(IdMap::new(many), Err(MapError::TooMany));
    let long = (0..340).map(|i| Extent::new(i + 1_000_000_000, i + 1_000_000_000, 1));
    assert_eq!(IdMap::new(long), Err(MapError::TooLong));
}

#[test]
fn the_widest_map_is_accepted() {
    let map: IdMap = "0 0 4294967295".parse().unwrap();
    assert_eq!(map.to_outside(4_294_967_294), Some(4_294_967_294));
    assert_eq!(map.to_outside(u32::MAX), None);
}

#[test]
fn blanks_and_colons_separate() {
    let map: IdMap = " 0\t1000  1 \n1 2 3\n".parse().unwrap();
    assert_eq!(map, "0:1000:1,1:2:3".parse().unwrap());
    assert_eq!(map.to_string(), "0 1000 1\n1 2 3");
}

#[test]
fn what_the_kernel_shows_may_have_unknown_ids() {
    let map = IdMap::from_kernel("         0 4294967295          1\n").unwrap();
    assert_eq!(map.to_outside(0), None);
    assert_eq!(IdMap::from_kernel("").unwrap().extents(), []);
}
