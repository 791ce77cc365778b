//! What a script cannot do to its host: hostile texts never start, endless ones end in `on_error`, and a stop by the
//! clock replays at the same tick.

use super::*;

#[test]
fn hostile_scripts_end_in_on_error_or_never_start() {
    let long = "x".repeat(70_000);
    for script in [
        "eval(\"1\");".to_owned(),
        "Fn(\"sleep\").call(2);".to_owned(),
        "sleep(10);".to_owned(),
        "import \"/etc/passwd\" as p;".to_owned(),
        "print(1);".to_owned(),
        "timestamp();".to_owned(),
        "nothing;".to_owned(),
        "let a = [1]; a.sort();".to_owned(),
        "let a = \"\"; a.pad(9000000000, \"x\");".to_owned(),
        format!("{}1{};", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{}1{};", "(".repeat(500), ")".repeat(500)),
        format!("let a = {}1{};", "[".repeat(400), "]".repeat(400)),
        format!("// {long}"),
        "try { loop { } } catch { approve(); }".to_owned(),
    ] {
        let (flow, found) = Flow::compile(&declaration(&script));
        let shown: String = script.chars().take(60).collect();
        assert!(flow.is_none() && found.iter().any(|d| d.severity == Severity::Error), "{shown}: {found:#?}");
    }
    for (script, code) in [
        ("loop { }", "out_of_budget"),
        ("loop { review(\"R900\"); }", "out_of_budget"),
        ("let x = 0; while true { x += 1; }", "out_of_budget"),
        ("fn f(x) { f(x) } f(1);", "out_of_budget"),
        ("let s = \"xx\"; loop { s = s + s; }", "out_of_budget"),
        ("let a = [1]; loop { a = a + a; }", "out_of_budget"),
        ("for a in 0..1000 { for b in 0..1000 { for c in 0..1000 { } } }", "out_of_budget"),
        ("for a in 0..9000000000 { }", "out_of_budget"),
        ("let a = 0..1000; filter(a, |x| count(a, |y| count(a, |z| z > y) > x) > 0);", "out_of_budget"),
        ("let x = 1e308; x = x * 10.0; approve();", "not_finite"),
        ("let m = #{ a: 1 }; if m.b == 1 { approve(); } approve();", "missing_value"),
    ] {
        let verdict = check(script, &[], "review", &["R900"]);
        assert_eq!(verdict.failures[0].code, code, "{script}");
        assert!(verdict.ticks <= 100_001, "{script}: {}", verdict.ticks);
    }
}

#[test]
fn a_stop_by_the_clock_replays_at_the_same_tick() {
    let flow = compiled(&declaration("let x = 0; while x < 5000 { x += 1; } approve();"));
    let facts = flow.admit(&facts(&[])).unwrap();
    let moment = "2026-11-22T09:00:00Z".parse().unwrap();
    let asked = std::sync::atomic::AtomicU64::new(0);
    let alarm = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 10;
    let stopped = flow.decide(&facts, moment, &Budget { alarm: Some(&alarm), stop_at: None });
    assert_eq!((&*stopped.outcome, stopped.degraded), ("review", true));
    let replayed = flow.decide(&facts, moment, &Budget { alarm: None, stop_at: stopped.stopped_at });
    assert_eq!(stopped, replayed);
}
