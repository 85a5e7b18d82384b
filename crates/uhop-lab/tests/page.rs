//! The files of a report from outside: what they hold, and how a browser opens them.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use uhop_lab::report::{
    self, Axis, Block, Chart, Column, Document, Field, Frame, Image, ImageGrid, Point, Role, Scale,
    Section, Series, Table,
};
use uhop_lab::{DataSet, Run, Spec, Specification as _};

/// Text that would do harm if it were not escaped, and nothing where it is.
const HOSTILE: &str =
    "<script>console.error('run')</script> \"x\" 'y' & </svg> <img src=x onerror=alert(1)> \0";

/// A document with one of everything, and hostile text everywhere.
fn document() -> report::Result<Document> {
    let points = |factor: f64| -> Vec<Point> {
        let sizes = [10.0, 100.0, 1000.0];
        sizes
            .map(|x| Point { x, y: factor * x, low: 0.5 * factor * x, high: 2.0 * factor * x })
            .to_vec()
    };
    let mut series = vec![Series::new(format!("floor {HOSTILE}"), Role::Floor, points(0.01))?];
    for i in 0..12 {
        series.push(Series::new(format!("model {i}"), Role::Model, points(0.1 + f64::from(i)))?);
    }
    let axis = |label: &str| Axis::new(format!("{label} {HOSTILE}"), Scale::Log);
    let chart = Chart::new("chart", HOSTILE, HOSTILE, axis("x")?, axis("y")?, series)?;
    let images = vec![Image::grey(1, 2, vec![0, 255])?, Image::rgb(1, 2, vec![9; 6])?];
    let columns = vec!["one".to_owned(), HOSTILE.to_owned()];
    let grid = ImageGrid::new("grid", HOSTILE, columns, vec![HOSTILE.to_owned()], images)?;
    let frame = || Frame::new((HOSTILE, -1.0, 1.0), ("y", -1.0, 1.0));
    let field =
        Field::scalar("field", HOSTILE, HOSTILE, frame()?, 2, HOSTILE, vec![0.0, 1.0, 2.0, 3.0])?
            .with_points(HOSTILE, vec![(0.0, 0.0)])?;
    let names = vec![HOSTILE.to_owned(), "b".to_owned()];
    let basins = Field::categories("basins", HOSTILE, HOSTILE, frame()?, 2, names, vec![0, 1])?;
    let head = vec![Column::text(HOSTILE), Column::number("error")];
    let wide = (0..12).map(|i| Column::number(format!("a long head {i}")));
    let cells = (0..14).map(|_| HOSTILE.to_owned()).collect();
    let table = Table::new(HOSTILE, head.into_iter().chain(wide).collect(), vec![cells])?;
    Document::new(HOSTILE, HOSTILE)?
        .with_fact(HOSTILE, "an-unbroken-word-of-a-command".repeat(20))
        .with_section(Section::new(HOSTILE)?.with(HOSTILE.to_owned()).with(table).with(chart))?
        .with_section(Section::new(HOSTILE)?.with(grid).with(field).with(basins))
}

fn written() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let document = document().expect("text that is seen");
    let page = report::write(&document, folder.path()).expect("the folder is ours");
    (folder, page)
}

#[test]
fn every_figure_is_a_file_and_the_same_document_gives_the_same_bytes() {
    let (first, _) = written();
    let (second, _) = written();
    let mut names: Vec<_> =
        fs::read_dir(first.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let figures = ["basins", "chart", "field", "grid"];
    let expected = figures.iter().flat_map(|name| [format!("{name}.png"), format!("{name}.svg")]);
    let expected = expected.chain(["report.html".to_owned()]).map(Into::into);
    assert_eq!(names, expected.collect::<Vec<std::ffi::OsString>>());
    for name in names {
        let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
        assert_eq!(read(first.path()), read(second.path()), "{name:?}");
    }
}

#[test]
fn text_stays_text() {
    let (folder, page) = written();
    let page = fs::read_to_string(page).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\0'));
    assert_eq!(page.matches("</svg>").count(), 8);
    for name in ["basins", "chart", "field", "grid"] {
        let svg = fs::read_to_string(folder.path().join(format!("{name}.svg"))).unwrap();
        let tree = roxmltree::Document::parse(&svg).unwrap();
        assert!(!tree.descendants().any(|node| node.has_tag_name("script")));
        assert!(svg.contains("&lt;script&gt;"), "{name}");
    }
}

#[test]
fn every_link_has_a_target_and_nothing_is_fetched() {
    let (_folder, page) = written();
    let page = fs::read_to_string(page).unwrap();
    let quoted = |before: &'static str| {
        page.split(before).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned())
    };
    let ids: Vec<String> = quoted(" id=\"").collect();
    let links: Vec<String> = quoted(" href=\"").collect();
    let mut unlike = ids.clone();
    unlike.sort();
    unlike.dedup();
    assert_eq!(unlike.len(), ids.len());
    assert!(links.len() > 2);
    for link in links {
        let target = link.strip_prefix('#').map(str::to_owned);
        let is_inside = target.is_some_and(|target| ids.contains(&target));
        assert!(is_inside || link.starts_with("data:image/png;base64,"), "{link}");
    }
    assert!(!page.contains("url(") && !page.contains("@import") && !page.contains(" src=\""));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = report::write(&document().unwrap(), file.join("out")).unwrap_err();
    assert!(error.is_io());
    assert!(error.to_string().contains("cannot make the folder"), "{error}");
}

/// What the page says of itself in a browser, as `name=value` words.
const CHECKS: &str = r#"<script>addEventListener("load", () => {
const all = (selector) => [...document.querySelectorAll(selector)];
const seen = (selector) => all(selector).filter((node) => node.getClientRects().length > 0).length;
const images = Promise.all(all("image").map((node) => new Promise((done) => {
  const image = new Image();
  image.onload = () => done(1);
  image.onerror = () => done(0);
  image.src = node.getAttribute("href");
})));
images.then((loaded) => {
  const values = {
    width: innerWidth,
    overflow: document.documentElement.scrollWidth - innerWidth,
    figures: seen("figure>svg"), axes: seen(".axes text"), models: seen(".model polyline"),
    legends: seen(".legend text"), pictures: seen("image"),
    broken: loaded.filter((ok) => !ok).length,
    text: Math.min(...all("p,td,th,figcaption,dd,li").map((node) => parseFloat(getComputedStyle(node).fontSize))),
    label: Math.min(...all("figure>svg text").filter((node) => node.getClientRects().length > 0)
      .map((node) => parseFloat(node.getAttribute("font-size")) * Math.hypot(node.getScreenCTM().a, node.getScreenCTM().b))),
  };
  console.log("checked " + Object.entries(values).map((pair) => pair.join("=")).join(" ") + " end");
});
});</script>"#;

/// The browser, if there is one.
fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let files = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// Opens a page and returns what it and the browser say on the console.
fn console(browser: &Path, page: &Path, width: u32) -> Vec<String> {
    let profile = tempfile::tempdir().expect("a temporary folder");
    let log = profile.path().join("log");
    let mut running = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
        .arg(format!("--window-size={width},900"))
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("the folder is ours"))
        .spawn()
        .expect("the browser starts");
    // A browser that hangs must not hang the check.
    for _ in 0..1200 {
        if running.try_wait().expect("the browser is ours").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // Nothing to do where it has ended.
    let _ = running.kill();
    running.wait().expect("the browser is ours");
    let log = fs::read(&log).expect("the log is ours");
    let log = String::from_utf8_lossy(&log);
    log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect()
}

/// What the checks find in a page, and all that is said on the console.
struct Seen {
    values: HashMap<String, f64>,
    lines: Vec<String>,
}

impl Seen {
    fn value(&self, name: &str) -> f64 {
        *self.values.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.values))
    }
}

/// A page as a browser shows it in a window of 1,200 pixels, and in a frame as wide as a phone; nothing where there is
/// no browser.
#[allow(clippy::print_stderr, reason = "a test says that it is skipped")]
fn seen_wide_and_on_a_phone(page: &Path) -> Option<[Seen; 2]> {
    let Some(browser) = chromium() else {
        eprintln!("skipped: no chromium on the PATH (Debian: apt-get install chromium)");
        return None;
    };
    let html = fs::read_to_string(page).expect("the page is there");
    let copy = page.with_file_name("checked.html");
    let with_checks = html.replace("</body>", &format!("{CHECKS}</body>"));
    fs::write(&copy, &with_checks).expect("the folder is ours");
    // A window cannot be as narrow as a phone; a frame in it can.
    let framed = page.with_file_name("framed.html");
    let source = with_checks.replace('&', "&amp;").replace('"', "&quot;");
    let frame = format!(
        "<!DOCTYPE html><iframe width=390 height=844 style=border:0 srcdoc=\"{source}\"></iframe>"
    );
    fs::write(&framed, frame).expect("the folder is ours");
    Some([copy, framed].map(|file| {
        let lines = console(&browser, &file, 1200);
        let said = lines.iter().find_map(|line| line.split("checked ").nth(1));
        let said = said.unwrap_or_else(|| panic!("the checks did not run: {lines:?}"));
        let pairs = said.split(' ').filter_map(|word| word.split_once('='));
        let values = pairs
            .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
            .collect();
        Seen { values, lines }
    }))
}

#[test]
fn a_browser_shows_it_wide_and_on_a_phone() {
    let (_folder, page) = written();
    let Some(seen) = seen_wide_and_on_a_phone(&page) else { return };
    for (seen, inner_width) in seen.iter().zip([1200.0, 390.0]) {
        let value = |name| seen.value(name);
        let said = &seen.values;
        // Nothing but our own line.
        assert_eq!(seen.lines.len(), 1, "{:?}", seen.lines);
        assert_eq!(value("width"), inner_width);
        assert!(value("overflow") <= 0.0, "{said:?}");
        assert_eq!(value("figures"), 4.0, "one drawing of each figure: {said:?}");
        assert!(value("axes") >= 12.0, "{said:?}");
        assert_eq!(value("models"), 12.0, "{said:?}");
        assert!(value("legends") >= 14.0, "{said:?}");
        assert_eq!(value("pictures"), 2.0 + 2.0 + 1.0, "{said:?}");
        assert_eq!(value("broken"), 0.0, "{said:?}");
        assert!(value("text") >= 12.0 && value("label") >= 9.5, "{said:?}");
    }
}

/// The report of an experiment that comes with the program, made smaller.
#[test]
fn a_browser_shows_the_report_of_an_experiment() {
    let mut spec = Spec::shipped("memory-size").unwrap().quick();
    (spec.seeds, spec.n_patterns, spec.stage1.steps) = (2, vec![4, 6], vec![2]);
    spec.corruption.truncate(2);
    let (data, folder) = ([DataSet::sample()], tempfile::tempdir().unwrap());
    let out = folder.path();
    let run = Run { spec: &spec, data: &data, out, jobs: NonZeroUsize::MIN };
    let finished = run.run(&|_| ControlFlow::Continue(())).unwrap();
    let document = uhop_lab::document(&run, &finished, "uhop experiment run memory-size").unwrap();
    let blocks = document.sections().iter().flat_map(Section::blocks);
    let n_figures =
        blocks.filter(|block| matches!(block, Block::Chart(_) | Block::Images(_))).count();
    // Two corruptions, of one level each, by three protocols; and the pictures.
    assert!(n_figures > 2 * 3, "{n_figures}");
    let page = report::write(&document, out).unwrap();
    let Some(seen) = seen_wide_and_on_a_phone(&page) else { return };
    for seen in seen {
        let value = |name| seen.value(name);
        let said = &seen.values;
        assert_eq!(seen.lines.len(), 1, "{:?}", seen.lines);
        assert!(value("overflow") <= 0.0 && value("broken") == 0.0, "{said:?}");
        assert_eq!(value("figures"), n_figures as f64, "{said:?}");
        assert!(value("axes") >= 12.0 && value("legends") >= 14.0, "{said:?}");
        assert!(value("pictures") >= 4.0, "{said:?}");
        assert!(value("text") >= 12.0 && value("label") >= 9.5, "{said:?}");
    }
}
