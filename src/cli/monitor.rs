//! Commands about the running server: statistics, log, the end.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::call::{Call, Deed};
use super::refusal::{Refusal, Stop};
use crate::control::{Action, Failed};
use crate::notation::Value;

type Done = Result<Deed, Stop>;

/// How long a loop may be tested: whoever runs commands does nothing else meanwhile.
const TEST_SECONDS_MAX: u64 = 10;

/// GETSTATELEMENT
pub(super) fn statistic(call: &Call<'_>) -> Done {
    let value = call.scene.control.statistic(call.arguments.text("objectID"));
    Ok(Deed::Show(Value::Number(value.ok_or(Refusal::General("unknown statistics element"))?)))
}

/// GETNEXTSTATNAME
pub(super) fn next_statistic(call: &Call<'_>) -> Done {
    let name = call.scene.control.next_statistic(call.arguments.find_text("objectID").unwrap_or_default());
    Ok(Deed::Show(Value::from(&*name.ok_or(Refusal::General("there is no further statistics element"))?)))
}

/// SETSTATELEMENT
pub(super) fn set_statistic(call: &Call<'_>) -> Done {
    let value = match call.arguments.find("value") {
        Some(Value::Number(number)) => Some(*number),
        Some(other) => other.as_str().and_then(|text| text.parse().ok()),
        None => None,
    };
    let value = value.ok_or(Refusal::General("the value must be a number"))?;
    let name = call.arguments.text("objectID").to_owned();
    let is_added = call.arguments.has("INC");
    Ok(Deed::Act(if is_added { Action::AddToStatistic(name, value) } else { Action::SetStatistic(name, value) }))
}

/// SHUTDOWN
pub(super) fn shut_down(_: &Call<'_>) -> Done {
    Ok(Deed::Act(Action::Stop))
}

/// SETLOGALL
pub(super) fn log_all(call: &Call<'_>) -> Done {
    match call.arguments.text("switch") {
        word if word.eq_ignore_ascii_case("ON") => Ok(Deed::Act(Action::LogAll(true))),
        word if word.eq_ignore_ascii_case("OFF") => Ok(Deed::Act(Action::LogAll(false))),
        _ => Err(Refusal::General("the switch must be ON or OFF").into()),
    }
}

/// WRITELOG
pub(super) fn write_log(call: &Call<'_>) -> Done {
    let level = call.arguments.text("level").parse().ok().filter(|level| (0..=5).contains(level));
    let level = level.ok_or(Refusal::General("the level must be 0 to 5"))?;
    Ok(Deed::Act(Action::WriteLog { level, text: call.arguments.text("text").to_owned() }))
}

/// TESTLOOP
pub(super) fn test_loop(call: &Call<'_>) -> Done {
    let seconds = call.arguments.text("seconds").parse().ok().filter(|seconds| *seconds <= TEST_SECONDS_MAX);
    let seconds = seconds.ok_or(Refusal::General("the seconds must be 0 to 10"))?;
    let rate = call.scene.control.measure_loop(Duration::from_secs(seconds));
    let rate = rate.map_err(|Failed(why)| Refusal::General(why))?;
    Ok(Deed::Show(Value::Number(i64::try_from(rate).unwrap_or(i64::MAX))))
}

/// GETCURRENTCONTROLLER: a server by itself is a cluster of one
pub(super) fn controller(call: &Call<'_>) -> Done {
    let listeners = call.scene.control.config().listeners;
    let address = listeners.iter().find_map(|listener| listener.address.tcp());
    let address = address.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip());
    Ok(Deed::Show(Value::from(&*address.to_string())))
}
