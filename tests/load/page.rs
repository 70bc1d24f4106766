//! The report, as a browser shows it.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::{accounts, generate, prepared};
use crate::clients::debian::{share, tool};

/// The width of a screen, and that of a telephone.
const WIDTHS: [u32; 2] = [1100, 400];

const HEIGHT: u32 = 2600;

/// Asks the page, once it is laid out, what somebody who looks at it would see.
const PROBE: &str = "<script>
addEventListener('load', () => {
  const all = (what) => [...document.querySelectorAll(what)];
  document.body.dataset.seen = JSON.stringify({
    plots: all('svg').filter((plot) => plot.getBoundingClientRect().height > 100).length,
    titles: all('h2').map((title) => title.innerText),
    figures: Object.fromEntries(all('.figures div').map((it) => it.innerText.trim().split('\\n').filter(Boolean))),
    cut: all('dd, dt, p, h1, code').filter((text) => text.scrollWidth > text.clientWidth + 1 && text.clientWidth > 0).length,
    fits: document.documentElement.scrollWidth <= innerWidth,
  });
});
</script>";

/// Lets Chromium open `page` in a window of that width.
fn chromium(folder: &Path, width: u32, more: &[&str], page: &str) -> Output {
    let fonts = folder.join("fonts.conf");
    let shared = share().join("fonts");
    let text = format!(
        "<fontconfig><dir>/usr/share/fonts</dir><dir>{}</dir><cachedir>{}</cachedir></fontconfig>",
        shared.display(),
        folder.join("fonts").display()
    );
    fs::write(&fonts, text).unwrap();
    let profile = tempfile::tempdir_in(folder).unwrap();
    let mut command = tool("chromium");
    command.env("FONTCONFIG_FILE", fonts).env("HOME", folder).args(["--headless", "--no-sandbox", "--disable-gpu"]);
    command.args(["--disable-quic", "--no-first-run", "--disable-background-networking", "--hide-scrollbars"]);
    command.args([
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--enable-logging=stderr",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("--window-size={width},{HEIGHT}")).args(more);
    let output = command.arg(format!("file://{}", folder.join(page).display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let complaints: Vec<&str> = said.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(complaints.is_empty(), "the page makes the browser complain: {complaints:?}");
    output
}

/// What there is to see on `page` in a window of that width.
fn seen(folder: &Path, width: u32, page: &str) -> Value {
    let dom = String::from_utf8(chromium(folder, width, &["--dump-dom"], page).stdout).unwrap();
    let found = dom.split_once("data-seen=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (json, _) = found.unwrap_or_else(|| panic!("the page was not laid out: {dom}"));
    serde_json::from_str(&json.replace("&quot;", "\"")).unwrap()
}

/// How many pixels of a picture have this colour.
fn pixels(picture: &Path, color: [u8; 3]) -> usize {
    let file = std::io::BufReader::new(fs::File::open(picture).unwrap());
    let mut decoder = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; decoder.output_buffer_size().unwrap()];
    let info = decoder.next_frame(&mut bytes).unwrap();
    bytes.chunks(info.color_type.samples()).filter(|pixel| pixel[..3] == color).count()
}

/// A server with two channels under forty clients who come again: there are changes, refusals, and
/// a queue to be seen.
#[test]
fn the_report_opens_from_a_file_in_a_browser() {
    let home = prepared("communigate", 100, "channels = 2");
    let _server = home.serve();
    let load = "--accounts 100 --arrivals herd:40 --seconds 2 --retry fixed:0.05 --retries-max 1000";
    let output = generate(&home, &format!("run {} {load} --html report.html", accounts(&home)));
    assert!(output.status.success(), "{output:?}");
    let folder = home.path();
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    fs::write(folder.join("probed.html"), page.replace("</body>", &format!("{PROBE}</body>"))).unwrap();
    for width in WIDTHS {
        let seen = seen(folder, width, "probed.html");
        assert_eq!((&seen["plots"], &seen["cut"], &seen["fits"]), (&5.into(), &0.into(), &true.into()), "{seen}");
        for title in ["Rates", "Latency over time", "Latency by percentile", "Refusals and failures", "Queue"] {
            assert!(seen["titles"].as_array().unwrap().contains(&title.into()), "{seen}");
        }
        assert_eq!(seen["figures"]["failed"], "0", "{seen}");
        assert_ne!(seen["figures"]["median latency"], "0.0 ms", "{seen}");
    }
    let picture = folder.join("report.png");
    chromium(folder, WIDTHS[0], &[&format!("--screenshot={}", picture.display())], "report.html");
    // Lines of the plots, in the colours of changes, refusals, latencies and the queue; and text.
    for color in [[22, 128, 84], [214, 124, 0], [160, 40, 140], [37, 92, 196], [31, 39, 51]] {
        assert!(pixels(&picture, color) > 50, "{color:?} is not to be seen");
    }
}
