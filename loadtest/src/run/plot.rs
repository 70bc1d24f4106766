//! Lines drawn as SVG.

use std::fmt::Display;
use std::io;
use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{ChartBuilder, Circle, Color, IntoDrawingArea, LineSeries, RGBColor, SVGBackend};
use plotters::style::{IntoFont, TRANSPARENT};

const SIZE: (u32, u32) = (960, 300);

const FONT: (&str, i32) = ("sans-serif", 15);

const INK: RGBColor = RGBColor(70, 78, 92);
const GRID: RGBColor = RGBColor(226, 230, 236);

/// Red, green, blue.
pub(crate) type Paint = (u8, u8, u8);

/// Where a line goes through; it is interrupted where a height is not a number.
pub(crate) type Points = Vec<(f64, f64)>;

/// A line of a plot.
#[derive(Debug)]
pub(crate) struct Curve {
    /// What the legend calls it.
    pub(crate) name: &'static str,
    pub(crate) color: Paint,
    pub(crate) points: Points,
}

/// What the numbers on an axis are called.
pub(crate) type Names = fn(f64) -> String;

/// As themselves.
pub(crate) const PLAIN: Names = |at| format!("{at}");

/// The axis counts nines: 1 is 90 percent, 2 is 99 percent.
pub(crate) const NINES: Names = |at| {
    let decimals = (at as usize).saturating_sub(2);
    format!("{:.decimals$} %", 100.0 - 100.0 / 10_f64.powf(at))
};

/// An axis from zero to `end`.
struct Axis {
    end: f64,
    ticks: Vec<f64>,
    names: Names,
}

impl Axis {
    fn new(end: f64, names: Names) -> Self {
        Self { end, ticks: ticks(end), names }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (f64::from(to - from) * value / self.end).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.end
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        (self.names)(*value)
    }
}

/// Draws `curves`, from zero on, on axes that are called `across` and `up`.
///
/// # Errors
/// None in practice: the library writes to a string.
pub(crate) fn draw(across: &str, up: &str, names: Names, curves: &[Curve]) -> io::Result<String> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let width = points().map(|point| point.0).fold(1.0, f64::max);
    let height = points().map(|point| point.1).fold(1.0, f64::max);
    let mut svg = legend(curves);
    paint(&mut svg, (width, height), (across, up), names, curves)
        .map_err(|fault| io::Error::other(fault.to_string()))?;
    // Its size on the page is that of the page's column; the plot's own is only its shape.
    let (width, height) = SIZE;
    Ok(svg.replacen(&format!("width=\"{width}\" height=\"{height}\""), "role=\"img\"", 1))
}

fn paint(
    svg: &mut String,
    (width, height): (f64, f64),
    (across, up): (&str, &str),
    names: Names,
    curves: &[Curve],
) -> Result<(), Box<dyn Display>> {
    let boxed = |fault: &dyn Display| -> Box<dyn Display> { Box::new(fault.to_string()) };
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(Axis::new(width, names), Axis::new(height * 1.08, PLAIN))
        .map_err(|fault| boxed(&fault))?;
    chart
        .configure_mesh()
        .x_desc(across)
        .y_desc(up)
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(FONT.into_font().color(&INK))
        .draw()
        .map_err(|fault| boxed(&fault))?;
    for Curve { color: (red, green, blue), points, .. } in curves {
        let color = RGBColor(*red, *green, *blue);
        for run in points.split(|(_, height)| height.is_nan()) {
            if let [alone] = run {
                let dot = Circle::new(*alone, 2, color.filled());
                chart.draw_series([dot]).map_err(|fault| boxed(&fault))?;
            } else {
                let line = LineSeries::new(run.iter().copied(), color.stroke_width(2));
                chart.draw_series(line).map_err(|fault| boxed(&fault))?;
            }
        }
    }
    area.present().map_err(|fault| boxed(&fault))
}

/// Which colour is what, above the plot, where it is in nobody's way.
fn legend(curves: &[Curve]) -> String {
    let mut legend = "<p class=\"legend\">".to_owned();
    for Curve { name, color: (red, green, blue), .. } in curves {
        let entry = format!("<span style=\"border-color: rgb({red}, {green}, {blue})\">{name}</span> ");
        legend.push_str(&entry);
    }
    legend + "</p>\n"
}

/// Round numbers from 0 to `end`, five to ten of them: 1, 2 or 5 times a power of ten apart.
fn ticks(end: f64) -> Vec<f64> {
    let power = 10_f64.powf((end / 10.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| end / step <= 10.0);
    let step = step.unwrap_or(end).max(1.0);
    (0..=(end / step) as u32).map(|count| f64::from(count) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(ticks(59.0), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(ticks(1.0), [0.0, 1.0]);
        assert_eq!(ticks(3.4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(ticks(1234.0), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0]);
    }

    #[test]
    fn an_axis_of_nines_names_percentages() {
        assert_eq!([0.0, 1.0, 2.0, 3.0, 4.0].map(NINES), ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    }

    #[test]
    fn a_plot_has_a_line_for_each_curve_and_a_name_for_each_axis() {
        let curve = |name, color| Curve { name, color, points: vec![(0.0, 1.0), (9.0, 30.0)] };
        let svg = draw("seconds", "clients", PLAIN, &[curve("one", (1, 2, 3)), curve("two", (4, 5, 6))]).unwrap();
        for needle in ["seconds", "clients", ">one<", ">two<", "#010203", "#040506", "rgb(4, 5, 6)"] {
            assert!(svg.contains(needle), "{needle} in {svg}");
        }
        assert!(draw("seconds", "clients", PLAIN, &[]).is_ok());
    }

    #[test]
    fn a_curve_is_interrupted_where_there_is_nothing_to_show() {
        let points = [1.0, 2.0, f64::NAN, 3.0, f64::NAN, 4.0, 5.0].into_iter().enumerate();
        let points = points.map(|(at, height)| (at as f64, height)).collect();
        let svg = draw("seconds", "ms", PLAIN, &[Curve { name: "one", color: (1, 2, 3), points }]).unwrap();
        let count = |shape: &str| svg.lines().filter(|line| line.contains(shape) && line.contains("#010203")).count();
        assert_eq!((count("<polyline"), count("<circle")), (2, 1), "{svg}");
    }
}
