//! Names of users, from `/etc/passwd` only: asking a directory service could
//! take as long as the network likes.

use std::collections::HashMap;

/// The users of this system by id.
#[derive(Default)]
pub(crate) struct Users(HashMap<u32, String>);

impl Users {
    /// Reads `/etc/passwd`; without one nobody has a name.
    pub(crate) fn read() -> Users {
        Users::parse(&std::fs::read("/etc/passwd").unwrap_or_default())
    }

    fn parse(text: &[u8]) -> Users {
        let mut users = HashMap::new();
        for line in text.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == b':');
            let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else { continue };
            let uid = std::str::from_utf8(uid).ok().and_then(|uid| uid.parse().ok());
            if let Some(uid) = uid {
                users.entry(uid).or_insert_with(|| crate::text::printable(name));
            }
        }
        Users(users)
    }

    /// The name of `uid`.
    pub(crate) fn name(&self, uid: u32) -> Option<&str> {
        self.0.get(&uid).map(String::as_str)
    }

    /// The name of `uid`, or the number.
    pub(crate) fn show(&self, uid: u32) -> String {
        self.name(uid).map_or_else(|| uid.to_string(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::Users;

    #[test]
    fn the_first_name_of_an_id_counts() {
        let users = Users::parse(b"root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\n+::::\nbad:x:y:\n");
        assert_eq!(users.show(0), "root");
        assert_eq!(users.show(7), "7");
    }
}
