//! The result as one page that a browser opens from a file: figures, plots and tables, nothing
//! fetched and no script.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::outcome::{CapacityStep, Outcome, Quantile, Second};
use super::plot::{self, Curve, Paint, Points};
use super::summary::latencies;

const STYLE: &str = include_str!("report.css");

const GREY: Paint = (120, 130, 145);
const GREEN: Paint = (22, 128, 84);
const BLUE: Paint = (37, 92, 196);
const PURPLE: Paint = (160, 40, 140);
const ORANGE: Paint = (214, 124, 0);
const RED: Paint = (198, 40, 40);

/// Writes the page to `path`.
///
/// # Errors
/// When the file cannot be written or a plot cannot be drawn.
pub(crate) fn write(outcome: &Outcome, path: &Path) -> io::Result<()> {
    fs::write(path, page(outcome)?)
}

fn page(outcome: &Outcome) -> io::Result<String> {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Password changes under load</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>Password changes under load</h1>\n\
         <p class=\"command\"><code>{}</code></p>\n",
        escape(&outcome.command)
    );
    put_verdict(&mut page, outcome);
    put_figures(&mut page, outcome);
    put_section(
        &mut page,
        "Rates",
        "Clients that were due, and changes acknowledged, in each second.",
        &rates(outcome)?,
    );
    let text =
        "From the moment a client was due to its acknowledged change: of the changes acknowledged in each second.";
    put_section(&mut page, "Latency over time", text, &latency_over_time(outcome)?);
    let text = "The same over the whole run. Where the two lines part, clients waited before their session was begun.";
    put_section(&mut page, "Latency by percentile", text, &latency_by_percentile(outcome)?);
    let text = "Sessions refused (retries included) and failed in each second.";
    put_section(&mut page, "Refusals and failures", text, &refusals(outcome)?);
    let text = "Clients that were due and not through yet: with the server, or waiting to try again.";
    put_section(&mut page, "Queue", text, &queue(outcome)?);
    if let Some(knee) = outcome.knee() {
        let text = format!(
            "{:.1} changes per second are reached with {} clients, each beginning again as soon as it is through.",
            knee.changes_per_s, knee.clients
        );
        put_section(&mut page, "Capacity", &text, &capacity(outcome)?);
    }
    put_section(&mut page, "What became of the clients", "", &count_table(outcome));
    put_section(&mut page, "Timings", "In milliseconds.", &latency_table(outcome));
    put_section(&mut page, "The generator itself", "", &generator_table(outcome));
    put(&mut page, format_args!("<footer>{}</footer>\n</body>\n</html>\n", escape(&outcome.tool)));
    Ok(page)
}

/// Whether the result may be trusted.
fn put_verdict(page: &mut String, outcome: &Outcome) {
    for reason in &outcome.generator.invalid_because {
        put(page, format_args!("<p class=\"verdict invalid\">Not valid: {}.</p>\n", escape(reason)));
    }
    if outcome.generator.invalid_because.is_empty() {
        page.push_str("<p class=\"verdict valid\">Valid: the generator kept up.</p>\n");
    }
}

fn put_figures(page: &mut String, outcome: &Outcome) {
    let intended = outcome.latency.get("intended").copied().unwrap_or_default();
    let queue = outcome.series.iter().map(|second| second.queue).max().unwrap_or(0);
    page.push_str("<dl class=\"figures\">\n");
    for (name, value) in [
        ("changes per second", format!("{:.1}", outcome.goodput_per_s)),
        ("due per second", format!("{:.1}", outcome.offered_per_s)),
        ("median latency", milliseconds(intended.p50_ms)),
        ("99th percentile", milliseconds(intended.p99_ms)),
        ("refused", outcome.counts.refused.to_string()),
        ("failed", outcome.counts.errors().to_string()),
        ("longest queue", queue.to_string()),
    ] {
        put(page, format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    }
    page.push_str("</dl>\n");
}

fn put_section(page: &mut String, title: &str, text: &str, body: &str) {
    let text = if text.is_empty() { String::new() } else { format!("<p>{}</p>\n", escape(text)) };
    put(page, format_args!("<section>\n<h2>{title}</h2>\n{text}{body}\n</section>\n"));
}

/// The values of every second, `value` of each.
fn by_second(outcome: &Outcome, value: impl Fn(&Second) -> f64) -> Points {
    (0..).zip(&outcome.series).map(|(at, second)| (f64::from(at), value(second))).collect()
}

fn rates(outcome: &Outcome) -> io::Result<String> {
    plot::draw(
        "seconds",
        "per second",
        plot::PLAIN,
        &[
            Curve { name: "due", color: GREY, points: by_second(outcome, |second| second.due as f64) },
            Curve { name: "changed", color: GREEN, points: by_second(outcome, |second| second.changed as f64) },
        ],
    )
}

/// Seconds without a change have no latency.
fn latency_over_time(outcome: &Outcome) -> io::Result<String> {
    let known = |second: &Second, value: f64| if second.changed > 0 { value } else { f64::NAN };
    let p99 = by_second(outcome, |second| known(second, second.p99_ms));
    let p50 = by_second(outcome, |second| known(second, second.p50_ms));
    draw_times("seconds", plot::PLAIN, [("99th percentile", PURPLE, p99), ("median", BLUE, p50)])
}

/// Draws times, which are given in milliseconds, in the unit that suits the longest.
fn draw_times(across: &str, names: plot::Names, times: [(&'static str, Paint, Points); 2]) -> io::Result<String> {
    const SECONDS_FROM_MS: f64 = 10_000.0;
    let longest = times.iter().flat_map(|(_, _, points)| points).map(|point| point.1).fold(0.0, f64::max);
    let (unit, factor) = if longest >= SECONDS_FROM_MS { ("s", 1e-3) } else { ("ms", 1.0) };
    let curve = |(name, color, points): (_, _, Points)| {
        let points = points.into_iter().map(|(at, time)| (at, time * factor)).collect();
        Curve { name, color, points }
    };
    plot::draw(across, unit, names, &times.map(curve))
}

fn refusals(outcome: &Outcome) -> io::Result<String> {
    if outcome.series.iter().all(|second| second.refused + second.failed == 0) {
        return Ok("<p class=\"none\">There were none.</p>".to_owned());
    }
    plot::draw(
        "seconds",
        "per second",
        plot::PLAIN,
        &[
            Curve { name: "refused", color: ORANGE, points: by_second(outcome, |second| second.refused as f64) },
            Curve { name: "failed", color: RED, points: by_second(outcome, |second| second.failed as f64) },
        ],
    )
}

fn queue(outcome: &Outcome) -> io::Result<String> {
    let points = by_second(outcome, |second| second.queue as f64);
    plot::draw("seconds", "clients", plot::PLAIN, &[Curve { name: "queue", color: BLUE, points }])
}

fn capacity(outcome: &Outcome) -> io::Result<String> {
    let point = |step: &CapacityStep| (f64::from(step.clients), step.changes_per_s);
    let points = outcome.capacity.iter().map(point).collect();
    plot::draw("clients", "changes per second", plot::PLAIN, &[Curve { name: "changed", color: GREEN, points }])
}

/// The distance from 100 percent is halved and tenthed towards the right: 90, 99, 99.9 percent. The
/// last point is the greatest of all.
fn latency_by_percentile(outcome: &Outcome) -> io::Result<String> {
    let count = outcome.latency.get("intended").map_or(0, |all| all.count).max(1) as f64;
    let place = |quantile: f64| if quantile < 1.0 { -(1.0 - quantile).log10() } else { count.log10() };
    let meant: Vec<_> = outcome.curve.iter().filter(|point| place(point.quantile) <= count.log10()).collect();
    let points = |time: fn(&Quantile) -> f64| meant.iter().map(|it| (place(it.quantile), time(it))).collect();
    let (intended, session) = (points(|it| it.intended_ms), points(|it| it.session_ms));
    draw_times("percentile", plot::NINES, [("from when due", PURPLE, intended), ("from the start", BLUE, session)])
}

fn count_table(outcome: &Outcome) -> String {
    let mut table = "<table>\n".to_owned();
    for (name, count) in outcome.counts.rows() {
        let class = if count == 0 { " class=\"none\"" } else { "" };
        put(&mut table, format_args!("<tr{class}><td>{name}</td><td>{count}</td></tr>\n"));
    }
    if let Some(attack) = &outcome.attack {
        for (name, count) in attack.rows().iter().filter(|(_, count)| *count > 0) {
            put(&mut table, format_args!("<tr><td>attack: {name}</td><td>{count}</td></tr>\n"));
        }
    }
    table + "</table>"
}

fn latency_table(outcome: &Outcome) -> String {
    let head = ["", "count", "p50", "p90", "p99", "p99.9", "max"].map(|name| format!("<th>{name}</th>")).concat();
    let mut table = format!("<table>\n<tr>{head}</tr>\n");
    for (name, it) in latencies(outcome) {
        put(
            &mut table,
            format_args!(
                "<tr><td>{}</td><td>{}</td><td>{:.1}</td><td>{:.1}</td><td>{:.1}</td><td>{:.1}</td><td>{:.1}</td></tr>\n",
                escape(&name),
                it.count,
                it.p50_ms,
                it.p90_ms,
                it.p99_ms,
                it.p999_ms,
                it.max_ms
            ),
        );
    }
    table + "</table>"
}

fn generator_table(outcome: &Outcome) -> String {
    let generator = &outcome.generator;
    let mut table = "<table>\n".to_owned();
    for (name, value) in [
        ("threads", generator.threads.to_string()),
        ("processors used on average", format!("{:.2}", generator.cpus_used)),
        ("share of a processor used by the busiest thread", format!("{:.2}", generator.busiest_thread)),
        ("sessions begun late, 99th percentile", milliseconds(generator.late.p99_ms)),
        ("timers late, 99th percentile", milliseconds(generator.lag.p99_ms)),
        ("length with all retries", format!("{:.1} s", outcome.seconds)),
    ] {
        put(&mut table, format_args!("<tr><td>{name}</td><td>{value}</td></tr>\n"));
    }
    table + "</table>"
}

fn milliseconds(value: f64) -> String {
    if value < 1000.0 { format!("{value:.1} ms") } else { format!("{:.2} s", value / 1000.0) }
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a String takes everything");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{Counts, Generator, Percentiles};
    use super::*;

    fn outcome() -> Outcome {
        let invalid_because = vec!["it was late".to_owned()];
        Outcome {
            command: "run --fail-if 'p99>1s' </script>".to_owned(),
            goodput_per_s: 9.0,
            counts: Counts { changed: 4711, ..Counts::default() },
            latency: [("intended".to_owned(), Percentiles { count: 3, ..Percentiles::default() })].into(),
            generator: Generator { invalid_because, ..Generator::default() },
            series: vec![Second { due: 10, changed: 9, ..Second::default() }; 3],
            ..Outcome::default()
        }
    }

    #[test]
    fn a_page_holds_its_numbers_and_fetches_nothing() {
        let page = page(&outcome()).unwrap();
        for needle in ["4711", "Not valid: it was late", "&lt;/script&gt;", "<svg", "polyline", "change, from when due"]
        {
            assert!(page.contains(needle), "{needle}");
        }
        for needle in ["<script", "src=", "href=", "@import", "url(", "Valid:", "Capacity"] {
            assert!(!page.contains(needle), "{needle}");
        }
    }

    #[test]
    fn a_page_says_that_a_result_is_valid_and_what_the_capacity_is() {
        let mut outcome = outcome();
        outcome.generator.invalid_because.clear();
        outcome.capacity = [(1, 10.0), (2, 19.0), (4, 19.5)]
            .map(|(clients, changes_per_s)| CapacityStep { clients, changes_per_s })
            .into();
        let page = page(&outcome).unwrap();
        assert!(page.contains("Valid:") && !page.contains("Not valid"));
        assert!(page.contains("19.0 changes per second are reached with 2 clients"), "{page}");
    }
}
