//! `host-sim report`: the page is whole, safe with any text, and headless Chromium shows it on every screen without a complaint.

use fathom_tests::chromium::{Picture, Window, document, picture};
use fathom_tests::commands::{Scene, host_sim, refuse, succeed};
use fathom_tests::targets::CORTEX_M4;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Text that would be markup, end an attribute or the script, or turn the line around.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&\u{202e}";
/// Anchors of the sections.
const SECTIONS: [&str; 8] = ["summary", "text", "depth", "position", "places", "stalls", "memory", "conditions"];
/// The width of a small phone.
const PHONE: Window = Window { width: 360, height: 5000, dark: false };
const DESK: Window = Window { width: 1280, height: 3200, dark: false };

struct Pages {
    scene: Scene,
    run: Value,
}

impl Pages {
    fn new() -> Self {
        let scene = Scene::default();
        let blob = scene.blob("default-halt");
        let (image, json) = (CORTEX_M4.image().into_os_string().into_string().unwrap(), scene.path("run.json"));
        #[rustfmt::skip]
        succeed(&mut host_sim(&[
            "run", "--quiet", "--image", &image, "--model", &blob, "--prompt", "a to", "--tokens", "8", "--json", &json,
        ]));
        let run = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
        Self { scene, run }
    }

    /// The path of the page for these runs.
    fn page(&self, runs: &[&Value]) -> String {
        let out = self.scene.path("report.html");
        let names: Vec<String> = (0..runs.len()).map(|index| format!("run-{index}.json")).collect();
        let files: Vec<String> =
            names.iter().zip(runs).map(|(name, run)| self.scene.write(name, run.to_string().as_bytes())).collect();
        let mut arguments = vec!["report", "-o", &out];
        arguments.extend(files.iter().map(String::as_str));
        succeed(&mut host_sim(&arguments));
        out
    }

    fn html(&self, runs: &[&Value]) -> String {
        std::fs::read_to_string(self.page(runs)).unwrap()
    }

    /// The run with [`HOSTILE`] wherever a report has text.
    fn hostile(&self) -> Value {
        let mut run = self.run.clone();
        for name in ["core", "memory_profile", "cost_table", "model_crc32", "text"] {
            run[name] = json!(HOSTILE);
        }
        run["request"]["prompt"] = json!(HOSTILE);
        run["energy"] = json!({ "millijoules_per_token": 1.5, "basis": HOSTILE });
        run["regions"][HOSTILE] = json!(5);
        run["places"][0]["regions"][HOSTILE] = json!(5);
        run["memory"]["areas"][0]["name"] = json!(HOSTILE);
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        run["prompt"][0]["bytes"] = json!(hex(HOSTILE));
        run["tokens"][0]["bytes"] = json!(hex(HOSTILE));
        run["tokens"][1]["bytes"] = json!("ff00");
        run
    }
}

/// The names of a page's tags, each closed where it must be.
fn tags(html: &str) -> Vec<String> {
    let (mut all, mut open) = (Vec::new(), Vec::new());
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a page of HTML");
    while let Some(start) = rest.find('<') {
        let tag = &rest[start + 1..];
        let end = tag.find('>').expect("a tag ends");
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        assert_eq!(tag[..end].matches('"').count() % 2, 0, "quotes of <{}>", &tag[..end]);
        rest = &tag[end + 1..];
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "</{closed}>");
            continue;
        }
        if matches!(name.as_str(), "script" | "style") {
            // Nothing in them is markup.
            rest = &rest[rest.find(&format!("</{name}>")).expect("it ends")..];
        }
        if !matches!(name.as_str(), "meta" | "br") && !tag[..end].ends_with('/') {
            open.push(name.clone());
        }
        all.push(name);
    }
    assert_eq!(open, Vec::<String>::new());
    all
}

#[test]
fn a_page_has_every_section_and_a_twin_in_words_for_each_picture() {
    let pages = Pages::new();
    for runs in [vec![&pages.run], vec![&pages.run, &pages.run]] {
        let html = pages.html(&runs);
        let tags = tags(&html);
        let count = |name: &str| tags.iter().filter(|tag| *tag == name).count();
        for anchor in SECTIONS {
            assert!(html.contains(&format!("<h2 id=\"{anchor}\">")), "{anchor}");
            assert!(html.contains(&format!("<a href=\"#{anchor}\">")), "{anchor}");
            assert!(html.contains(&format!("<section aria-labelledby=\"{anchor}\">")), "{anchor}");
        }
        assert_eq!([count("main"), count("nav"), count("header"), count("footer"), count("h1")], [1; 5]);
        assert_eq!(count("svg"), runs.len());
        assert_eq!(count("figure"), count("figcaption"));
        assert_eq!(count("table"), count("caption"));
        assert_eq!(html.matches("role=\"img\" aria-label=\"").count(), count("svg"));
        // Who reads only one figure still reads what it rests on.
        for caption in html.split("<figcaption>").skip(1).map(|rest| rest.split("</figcaption>").next().unwrap()) {
            let modelled = caption.contains("Modelled: cortex-m4, zero-wait, table cortex-m4/");
            assert!(modelled || caption.starts_with("Mean "), "{caption}");
        }
        // Every token is in the text, in the drawing and in the table.
        for position in 4..12 {
            assert_eq!(html.matches(&format!("data-at=\"{position}\"")).count(), 2 * runs.len(), "{position}");
            assert_eq!(html.matches(&format!("<tr><th scope=\"row\">{position}</th>")).count() % runs.len(), 0);
        }
    }
}

#[test]
fn a_page_loads_nothing_and_is_the_same_every_time() {
    let pages = Pages::new();
    let html = pages.html(&[&pages.run, &pages.run]);
    for part in ["http:", "https:", "//", "src=", "@import", "<link", "<iframe", "url(h"] {
        let script = html.split("<script>").nth(1).unwrap();
        let found = html.matches(part).count() - if part == "//" { script.matches("// ").count() } else { 0 };
        assert_eq!(found, 0, "{part}");
    }
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"));
    assert_eq!(html, pages.html(&[&pages.run, &pages.run]));
}

#[test]
fn two_runs_stand_side_by_side_with_their_differences() {
    let pages = Pages::new();
    let mut slower = pages.run.clone();
    let mean = slower["cycles"]["per_token_mean"].as_u64().unwrap();
    slower["cycles"]["per_token_mean"] = json!(mean * 5 / 4);
    slower["memory_profile"] = json!("nrf52840");
    let html = pages.html(&[&pages.run, &slower]);
    assert!(html.contains("▲</span> +25.0% worse"), "cycles per token");
    assert!(html.contains("▼</span> −20.0% worse"), "tokens per second");
    assert!(html.contains("the runs differ in memory profile."));
    assert!(html.contains("run-0") && html.contains("run-1"));
}

#[test]
fn hostile_text_stays_text() {
    let pages = Pages::new();
    let html = pages.html(&[&pages.hostile(), &pages.hostile()]);
    assert!(!html.contains("<img") && !html.contains('\u{202e}') && !html.contains('\0'));
    assert_eq!(html.matches("</script>").count(), 1);
    assert!(html.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;⟨202e⟩"));
    assert!(html.contains("⟨ff⟩⟨00⟩"));
    let kinds: BTreeSet<String> = tags(&html).into_iter().collect();
    let plain: BTreeSet<String> = tags(&pages.html(&[&pages.run, &pages.run])).into_iter().collect();
    assert!(kinds.is_subset(&plain), "{kinds:?}");
}

#[test]
fn rejects_what_is_no_run_and_pages_that_cannot_be_written() {
    let pages = Pages::new();
    let scene = &pages.scene;
    let (good, out) = (scene.path("run.json"), scene.path("report.html"));
    let mut contradiction = pages.run.clone();
    contradiction["generated_tokens"] = json!(9);
    let mut exec = pages.run.clone();
    exec["schema"] = json!("fathom-exec/1");
    let bad: [(&str, String, &[&str]); 6] = [
        ("cut.json", pages.run.to_string()[..400].into(), &["cut.json is not a run's report", "EOF"]),
        ("empty.json", String::new(), &["empty.json is not a run's report"]),
        ("list.json", "[1, 2]".into(), &["list.json names no schema", "\"fathom-run/1\""]),
        ("exec.json", exec.to_string(), &["has schema \"fathom-exec/1\", wanted \"fathom-run/1\""]),
        ("bare.json", "{\"schema\": \"fathom-run/1\"}".into(), &["bare.json is not a run's report", "missing field"]),
        ("odd.json", contradiction.to_string(), &["odd.json contradicts itself", "generated_tokens"]),
    ];
    for (name, text, parts) in bad {
        let path = scene.write(name, text.as_bytes());
        refuse(&mut host_sim(&["report", &path, "-o", &out]), scene.folder(), parts);
        refuse(&mut host_sim(&["report", &good, &path, "-o", &out]), scene.folder(), parts);
    }
    refuse(&mut host_sim(&["report", &scene.path("none"), "-o", &out]), scene.folder(), &["cannot read", "No such file"]);
    for out in [&format!("{good}/below"), &scene.path("no/such/page.html"), scene.folder().to_str().unwrap()] {
        refuse(&mut host_sim(&["report", &good, "-o", out]), scene.folder(), &["cannot write", out]);
    }
    let nine = [&["report", "-o", &out][..], &[good.as_str(); 9]].concat();
    refuse(&mut host_sim(&nine), scene.folder(), &["9 runs do not fit on a page"]);
}

/// Colours that a picture has, and the share of its most common one.
fn colours(picture: &Picture) -> (usize, f64) {
    let mut counts = std::collections::HashMap::new();
    picture.pixels.iter().for_each(|pixel| *counts.entry(*pixel).or_insert(0usize) += 1);
    let most = counts.values().max().copied().unwrap_or(0);
    (counts.len(), most as f64 / picture.pixels.len() as f64)
}

/// Brightness of a picture's top left corner, which is paper.
fn paper(picture: &Picture) -> u32 {
    picture.pixels[0].iter().map(|channel| u32::from(*channel)).sum::<u32>() / 3
}

#[test]
fn chromium_draws_the_page_in_light_and_dark_and_on_a_phone() {
    let pages = Pages::new();
    let page = pages.page(&[&pages.run, &pages.run]);
    for window in [DESK, PHONE, Window { dark: true, ..DESK }, Window { dark: true, ..PHONE }] {
        let picture = picture(Path::new(&page), window);
        assert_eq!((picture.width, picture.height), (window.width, window.height));
        let (kinds, most) = colours(&picture);
        assert!(kinds > 60, "{window:?}: {kinds} colours");
        assert!((0.3..0.97).contains(&most), "{window:?}: {most:.3} of one colour");
        assert_eq!(paper(&picture) < 64, window.dark, "{window:?}");
        // Something is drawn in every fifth of the page but perhaps the last.
        let rows = picture.pixels.chunks_exact(picture.width as usize * window.height as usize / 5);
        for (index, part) in rows.take(4).enumerate() {
            let drawn = part.iter().filter(|pixel| **pixel != picture.pixels[0]).count() as f64 / part.len() as f64;
            assert!(drawn > 0.01, "{window:?}: part {index} is blank");
        }
    }
    let blank = pages.scene.write("blank.html", b"<!DOCTYPE html><title>blank</title>");
    assert_eq!(colours(&self::picture(Path::new(&blank), DESK)), (1, 1.0), "a blank page is seen to be blank");
}

/// A copy of the page with a script of ours at its end, for which its policy must go.
fn probed(pages: &Pages, page: &str, script: &str) -> String {
    let html = std::fs::read_to_string(page).unwrap();
    let (before, rest) = html.split_once("<meta http-equiv=").unwrap();
    let (_, after) = rest.split_once(">\n").unwrap();
    let html = format!("{before}{after}").replace("</body>", &format!("<script>{script}</script>\n</body>"));
    pages.scene.write("probed.html", html.as_bytes())
}

/// What the probe left in an attribute of the page's root.
fn left<'d>(html: &'d str, name: &str) -> &'d str {
    let (_, rest) = html.split_once(&format!("data-{name}=\"")).unwrap_or_else(|| panic!("no {name}"));
    rest.split('"').next().unwrap()
}

/// A page with another in a frame as wide as a phone, which Chromium's window is not unless it draws; it leaves what it finds in there.
fn framed(pages: &Pages, page: &str) -> String {
    let html = std::fs::read_to_string(page).unwrap().replace('&', "&amp;").replace('"', "&quot;");
    let script = "const frame = document.querySelector('iframe').contentWindow;
        document.documentElement.dataset.wide = frame.document.documentElement.scrollWidth;
        document.documentElement.dataset.window = frame.innerWidth;";
    let html = format!(
        "<!DOCTYPE html>\n<iframe style=\"width:{}px;border:0\" srcdoc=\"{html}\"></iframe><script>onload = () => {{{script}}}</script>",
        PHONE.width
    );
    pages.scene.write("framed.html", html.as_bytes())
}

#[test]
fn nothing_is_wider_than_a_phone() {
    let pages = Pages::new();
    for runs in [vec![&pages.run], vec![&pages.run, &pages.run], vec![&pages.run; 5], vec![&pages.hostile()]] {
        let page = pages.page(&runs);
        let html = document(Path::new(&framed(&pages, &page)), DESK).html;
        assert_eq!((left(&html, "window"), left(&html, "wide")), ("360", "360"), "{} runs", runs.len());
    }
    let wide = pages.scene.write("wide.html", b"<!DOCTYPE html><p style=\"width:500px\">wide</p>");
    let html = document(Path::new(&framed(&pages, &wide)), DESK).html;
    assert_eq!(left(&html, "window"), "360");
    assert!(left(&html, "wide").parse::<u32>().unwrap() >= 500, "a page that is too wide is seen to be");
}

#[test]
fn the_page_s_script_runs_without_a_complaint_and_the_page_does_without_it() {
    let pages = Pages::new();
    let page = pages.page(&[&pages.hostile(), &pages.run]);
    let shown = document(Path::new(&page), DESK);
    assert_eq!(shown.console, Vec::<String>::new());
    assert!(shown.html.contains("Point at a character or move with the arrow keys."), "the script ran");
    let static_text = std::fs::read_to_string(&page).unwrap();
    assert!(static_text.contains("title=\"position 5: depth "), "without a script, pointing still gives the figures");
    // The policy lets no other script run, and its refusal is seen here.
    let html = static_text.replace("</body>", "<script>document.title = 'run'</script></body>");
    let changed = pages.scene.write("changed.html", html.as_bytes());
    let refused = document(Path::new(&changed), DESK);
    assert!(!refused.html.contains("<title>run</title>") && refused.console.len() == 1, "{:?}", refused.console);
}

#[test]
fn the_keyboard_walks_through_the_text() {
    let pages = Pages::new();
    let page = pages.page(&[&pages.run]);
    let probe = "const text = document.querySelector('.text');
        const stops = [...text.querySelectorAll('.c')].filter((c) => c.tabIndex === 0);
        stops[0].focus();
        const readout = document.querySelector('.readout');
        const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        const root = document.documentElement.dataset;
        root.stops = stops.length; root.first = readout.textContent;
        press('ArrowRight'); root.second = readout.textContent; root.bar = document.querySelector('.plot .on').dataset.at;
        press('End'); root.last = readout.textContent;
        press('Home'); root.home = readout.textContent;";
    let html = document(Path::new(&probed(&pages, &page, probe)), DESK).html;
    let tokens = pages.run["tokens"].as_array().unwrap();
    assert_eq!(left(&html, "stops"), "1", "one stop of the tab key for the whole text");
    for (name, index) in [("first", 0), ("second", 1), ("last", 7)] {
        let cycles = fathom_host_sim::report::grouped(tokens[index]["cycles"].as_u64().unwrap());
        let said = left(&html, name);
        let wanted = format!("position {}: depth {}", index + 4, tokens[index]["depth"]);
        assert!(said.contains(&wanted) && said.contains(&format!("{cycles} modelled cycles")), "{name}: {said}");
    }
    assert_eq!(left(&html, "bar"), "5", "the same token stands out in the chart");
    assert!(left(&html, "home").contains("position 0, of the prompt"), "{}", left(&html, "home"));
}
