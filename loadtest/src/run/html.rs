//! The result as one page that a browser opens from a file: a table and plots, nothing fetched.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use plotters::prelude::{ChartBuilder, Color, IntoDrawingArea, LineSeries, PathElement, RGBColor, SVGBackend, WHITE};

use super::outcome::{Outcome, Second};

const PLOT_SIZE: (u32, u32) = (960, 320);

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}\
                     table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;text-align:right;\
                     border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}\
                     svg{width:100%;height:auto}.invalid{background:#fdd;padding:.5em 1em}code{word-break:break-all}";

/// A line of a plot: its name, its colour, and its value in each second.
struct Line {
    name: &'static str,
    color: RGBColor,
    value: fn(&Second) -> f64,
}

const RATES: [Line; 4] = [
    Line { name: "due", color: RGBColor(150, 150, 150), value: |second| second.due as f64 },
    Line { name: "changed", color: RGBColor(30, 130, 60), value: |second| second.changed as f64 },
    Line { name: "refused", color: RGBColor(220, 140, 0), value: |second| second.refused as f64 },
    Line { name: "failed", color: RGBColor(200, 30, 30), value: |second| second.failed as f64 },
];

const LATENCIES: [Line; 2] = [
    Line { name: "p50", color: RGBColor(40, 90, 200), value: |second| second.p50_ms },
    Line { name: "p99", color: RGBColor(200, 30, 120), value: |second| second.p99_ms },
];

/// Writes the page to `path`.
///
/// # Errors
/// When the file cannot be written or a plot cannot be drawn.
pub(crate) fn write(outcome: &Outcome, path: &Path) -> io::Result<()> {
    fs::write(path, page(outcome)?)
}

fn page(outcome: &Outcome) -> io::Result<String> {
    let rates = plot("sessions per second", &outcome.series, &RATES)?;
    let latencies = plot("milliseconds from the due time to the acknowledged change", &outcome.series, &LATENCIES)?;
    let warnings: String = outcome
        .generator
        .invalid_because
        .iter()
        .map(|reason| format!("<p class=invalid>Not valid: {}</p>", escape(reason)))
        .collect();
    Ok(format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><title>Load on a password-change server</title>\
         <style>{STYLE}</style>\n<h1>Load on a password-change server</h1>\n{warnings}\
         <p>{:.1} changes per second were acknowledged, of {:.1} sessions per second that were due. \
         The generator used {:.2} processors; 99 of 100 sessions began at most {:.1} ms late.</p>\n\
         <p><code>{}</code> ({})</p>\n{}\n<h2>Rates</h2>\n{rates}\n<h2>Latency</h2>\n{latencies}\n{}</html>\n",
        outcome.goodput_per_s,
        outcome.offered_per_s,
        outcome.generator.cpus_used,
        outcome.generator.late.p99_ms,
        escape(&outcome.command),
        escape(&outcome.tool),
        count_table(outcome),
        latency_table(outcome),
    ))
}

fn count_table(outcome: &Outcome) -> String {
    let counts = &outcome.counts;
    let mut table = "<table><tr><th>What became of the sessions<th>count</tr>\n".to_owned();
    for (name, count) in [
        ("changed", counts.changed),
        ("refused, after all retries", counts.refused),
        ("denied for a wrong old password, as they should be", counts.denied),
        ("abandoned on purpose", counts.abandoned),
        ("timed out", counts.timed_out),
        ("broken connections", counts.broken),
        ("nonsense answers", counts.nonsense),
        ("never begun", counts.unstarted),
        ("retries on top", counts.retries),
    ] {
        put(&mut table, format_args!("<tr><td>{name}<td>{count}</tr>\n"));
    }
    table + "</table>"
}

fn latency_table(outcome: &Outcome) -> String {
    let mut table = "<table><tr><th>ms<th>count<th>p50<th>p90<th>p99<th>p99.9<th>max</tr>\n".to_owned();
    for (name, it) in &outcome.latency {
        put(
            &mut table,
            format_args!(
                "<tr><td>{}<td>{}<td>{:.1}<td>{:.1}<td>{:.1}<td>{:.1}<td>{:.1}</tr>\n",
                escape(name),
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

/// Draws `lines` over the seconds of the run.
fn plot(title: &str, series: &[Second], lines: &[Line]) -> io::Result<String> {
    let highest = series.iter().flat_map(|second| lines.iter().map(|line| (line.value)(second))).fold(1.0, f64::max);
    let seconds = series.len().max(2) as f64 - 1.0;
    let mut svg = String::new();
    let fault = |fault: &dyn std::fmt::Display| io::Error::other(format!("a plot cannot be drawn: {fault}"));
    {
        let area = SVGBackend::with_string(&mut svg, PLOT_SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(|it| fault(&it))?;
        let mut chart = ChartBuilder::on(&area)
            .margin(10)
            .x_label_area_size(35)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..seconds, 0.0..highest * 1.05)
            .map_err(|it| fault(&it))?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc("s").y_desc(title).light_line_style(WHITE.mix(0.0)).draw().map_err(|it| fault(&it))?;
        for line in lines {
            let points = (0..).zip(series).map(|(at, second)| (f64::from(at), (line.value)(second)));
            let color = line.color;
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)))
                .map_err(|it| fault(&it))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        }
        let mut legend = chart.configure_series_labels();
        legend
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .draw()
            .map_err(|it| fault(&it))?;
        area.present().map_err(|it| fault(&it))?;
    }
    Ok(svg)
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

    #[test]
    fn a_page_holds_its_numbers_and_fetches_nothing() {
        let outcome = Outcome {
            tool: "tool".to_owned(),
            command: "run --fail-if 'p99>1s' </script>".to_owned(),
            seconds: 2.0,
            offered_per_s: 10.0,
            goodput_per_s: 9.0,
            counts: Counts { changed: 4711, ..Counts::default() },
            latency: [("intended".to_owned(), Percentiles::default())].into(),
            generator: Generator {
                threads: 1,
                cpus_used: 0.1,
                late: Percentiles::default(),
                invalid_because: vec!["it was late".to_owned()],
            },
            attack: None,
            capacity: Vec::new(),
            series: vec![Second { due: 10, changed: 9, ..Second::default() }; 3],
        };
        let page = page(&outcome).unwrap();
        for needle in ["4711", "it was late", "&lt;/script&gt;", "<svg", "polyline"] {
            assert!(page.contains(needle), "{needle}");
        }
        for needle in ["<script", "src=", "href="] {
            assert!(!page.contains(needle), "{needle}");
        }
    }
}
