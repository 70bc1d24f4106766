//! Commands about the server itself.

use super::call::{Call, Deed};
use super::refusal::{Refusal, Stop};
use super::table::{Row, rows};
use crate::notation::{Timestamp, Value};

type Done = Result<Deed, Stop>;

/// LISTCLICOMMANDS
pub(super) fn commands(_: &Call<'_>) -> Done {
    Ok(Deed::Show(Value::Array(rows().map(Row::name).map(Value::from).collect())))
}

/// NOOP
pub(super) fn nothing(_: &Call<'_>) -> Done {
    Ok(Deed::Nothing)
}

/// ECHO
pub(super) fn echo(call: &Call<'_>) -> Done {
    Ok(Deed::Show(call.arguments.find("object").cloned().unwrap_or(Value::Null)))
}

/// GETVERSION
pub(super) fn version(_: &Call<'_>) -> Done {
    Ok(Deed::Show(Value::from(env!("CARGO_PKG_VERSION"))))
}

/// GETCURRENTTIME
pub(super) fn time(call: &Call<'_>) -> Done {
    Ok(Deed::Show(timestamp(call.scene.now)))
}

/// GETSYSTEMINFO
pub(super) fn system(call: &Call<'_>) -> Done {
    let known = [
        ("mainDomainName", Value::from(call.directory().main_domain().as_str())),
        ("serverCPU", Value::from(std::env::consts::ARCH)),
        ("serverOS", Value::from(std::env::consts::OS)),
        ("serverVersion", Value::from(env!("CARGO_PKG_VERSION"))),
        ("startTime", timestamp(call.scene.started_at)),
    ];
    let asked = call.arguments.text("what");
    let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(asked));
    let (_, value) = found.ok_or(Refusal::General("unknown system information element"))?;
    Ok(Deed::Show(value))
}

/// MAINDOMAINNAME
pub(super) fn main_domain(call: &Call<'_>) -> Done {
    Ok(Deed::Show(Value::from(call.directory().main_domain().as_str())))
}

/// The moment `seconds` after the beginning of 1970.
pub(super) fn timestamp(seconds: u64) -> Value {
    let moment = i64::try_from(seconds).ok().and_then(Timestamp::from_unix);
    Value::Timestamp(moment.unwrap_or(Timestamp::FUTURE))
}
