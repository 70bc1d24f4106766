//! What the table tells people: HELP, and the page of all commands.

use std::fmt::Write;

use super::right::{Right, ServerRight};
use super::table::{AREAS, Found, Row, Status, find};
use crate::config::module::{NUMBERS, Number};

/// The text that HELP answers, with what follows the word.
pub(super) fn help(rest: &[u8]) -> String {
    match find(rest.trim_ascii()) {
        Some(Found::Row(row, _)) => format!("{} - {}", row.usage(), row.help),
        Some(Found::Bygone(name)) => format!("{name} is not supported by this server"),
        None => "commands are NEWPASS INLINE QUIT and those that LISTCLICOMMANDS lists - HELP with a name tells more"
            .to_owned(),
    }
}

/// The page of all commands, in Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = "# Commands\n\nAfter the login a session of the CommuniGate dialect takes these commands, one per \
                    line, in any letter case. Brackets hold what may be left out.\n"
        .to_owned();
    for (title, rows) in AREAS {
        write!(page, "\n## {title}\n\n| command | who may | shows | what it does |\n|---|---|---|---|\n")
            .expect("a String takes everything");
        for row in *rows {
            let remark = match row.status {
                Status::Full(_) => "",
                Status::Partial(_) => " (in part)",
                Status::Unsupported => " (not supported)",
            };
            let usage = row.usage().replace('|', "\\|");
            let shows = row.output.as_str();
            writeln!(page, "| `{usage}` | {} | {shows} | {}{}{remark} |", who(row.right), row.help, spellings(row))
                .expect("a String takes everything");
        }
    }
    page.push_str(ROUTER);
    page.push_str(MODULE);
    for Number { key, file_key, is_of_listener, must } in NUMBERS {
        let place = if *is_of_listener { "Listener." } else { "" };
        writeln!(page, "| {place}{key} | `{file_key}` | {must} |").expect("a String takes everything");
    }
    page
}

/// The section about the router table.
const ROUTER: &str = "
## Router table

One record a line; the first that fits an address rewrites it, and then it is looked at anew, for
logins too. `*` stands for any text. `;` begins a comment.

```text
<webmaster> = postmaster                 ; an address; without a domain it is one of the main domain
<*-info@example.com> = info@example.net
mail.example.com = example.com           ; a domain
Access:<root> = error                    ; for logins alone; also Mail: and Signal:
```

The right part may be one of the words `error`, `null` and `blacklisted`.
";

/// The section about the settings of the module, up to the rows of its table.
const MODULE: &str = "
## Settings of the module PWD

What UPDATEMODULE and SETMODULE set is kept with the accounts and goes before the configuration file;
`default` in the place of a value lets the file hold again. It is in force before the reply, but for
`Listener.Ports`, an array of dictionaries with `PortNumber` and `LocalAddress`, which needs a restart.
Times may have one of the units s m h d w. Keys that are not in this list are kept and mean nothing.

| setting | key of the file | number |
|---|---|---|
";

fn spellings(row: &Row) -> String {
    if row.spellings().is_empty() { String::new() } else { format!("; also {}", row.spellings().join(", ")) }
}

fn who(right: Right) -> String {
    match right {
        Right::Anyone => "everybody".to_owned(),
        Right::Server(rights) => {
            let names: Vec<_> =
                rights.iter().copied().chain([ServerRight::Master]).map(|it| format!("{it:?}")).collect();
            names.join(", ")
        }
        Right::Domain { code, or_self } => {
            let code = code.map_or_else(String::new, |code| format!(" with {code}"));
            let itself = if or_self { ", the account itself" } else { "" };
            format!("administrators of the domain{code}{itself}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_tells_of_one_command_or_where_to_look() {
        assert_eq!(help(b" renamegroup "), "RENAMEGROUP groupName INTO newName - give a group another name");
        assert_eq!(help(b" updateairsyncinfo"), "UPDATEAIRSYNCINFO is not supported by this server");
        for rest in [&b""[..], b" ", b" WHAT"] {
            assert!(help(rest).contains("LISTCLICOMMANDS"));
        }
    }

    #[test]
    fn the_page_has_every_command() {
        let page = page();
        for row in super::super::table::rows() {
            assert!(page.contains(&format!("`{}", row.name())), "{row:?}");
        }
        assert!(page.ends_with("| Listener.ReservedForClients | `channels_for_clients` | must be 0 to 1000000 |\n"));
    }
}
