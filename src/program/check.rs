//! `keyturn check`.

use std::fmt::Write;

use super::failure::Failure;
use super::settings::Source;

/// What the configuration amounts to.
pub(crate) fn check(source: &Source) -> Result<String, Failure> {
    let config = source.load(None)?;
    let mut out = String::from("configuration is valid");
    if source.file.is_none() {
        out.push_str(" (no file was named: these are the defaults)");
    }
    for listener in &config.listeners {
        let domain = listener.domain.as_ref().unwrap_or(&config.main_domain);
        let dialect = listener.dialect.as_str();
        write!(out, "\nlisten on {}: {dialect}, bare names in {domain}", listener.address).map_err(Failure::failed)?;
    }
    if config.live.channels == 0 {
        out.push_str("\nno client is served: channels = 0");
    }
    out.push('\n');
    Ok(out)
}
