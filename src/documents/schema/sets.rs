//! Rule sets, scorecards and tables.

use serde_json::{Value as Json, json};

use super::flow::{points, takes, types};
use super::{boolean, expression, integer, list, named, object, reference, text, with, word};

fn types_used() -> Vec<(&'static str, Json)> {
    types().into_iter().filter(|(name, _)| *name == "field").collect()
}

pub(super) fn rules() -> Json {
    let rule = object(
        "one rule",
        &[
            ("id!", text("its name in the trace: letters, digits, `_`, `-`, `.`")),
            (
                "when!",
                expression(
                    "the condition; in quotes where it begins with one of `! [ { * & \" '` or has ` #` or `: ` in it",
                ),
            ),
            ("outcome", text("what a hit records when the set is applied")),
            ("reason", text("a declared reason; an outcome needs one")),
            ("points", points()),
        ],
    );
    let keys = [
        ("rule_set!", text("the file's name before `.rules.yaml`")),
        ("hit_policy", word("every hit counts, or the first ends the set", &["collect", "first"])),
        ("takes", takes()),
        ("rules!", list("the rules, in order", rule)),
    ];
    let example = json!({
        "rule_set": "knockout", "hit_policy": "first", "takes": {"default_risk": "number"},
        "rules": [{"id": "under_age", "when": "age < min_age", "outcome": "decline", "reason": "R101", "points": 30}],
    });
    with(object("Threshold rules", &keys), &types_used(), example)
}

pub(super) fn scorecard() -> Json {
    let value = json!({"type": ["string", "number", "boolean"]});
    let bound = json!({"type": ["string", "number"], "description": "a number, or the name of a threshold"});
    let bin = object(
        "one bin: what it asks, and its points",
        &[
            ("is", value.clone()),
            ("in", list("any of these", value)),
            ("from", bound.clone()),
            ("below", bound),
            ("missing", json!({"enum": [true], "description": "the value was not given"})),
            (
                "otherwise",
                json!({"enum": [true], "description": "what no bin before it matched; never what is missing"}),
            ),
            ("points!", points()),
            ("reason", text("told when points are lost here")),
        ],
    );
    let keys = [
        ("scorecard!", text("the file's name before `.scorecard.yaml`")),
        ("base_points", integer("points before any characteristic")),
        ("takes", takes()),
        (
            "characteristics!",
            named(
                "bins of an input, a feature or what the call hands over; the first that matches counts",
                list("bins", bin),
            ),
        ),
    ];
    let example = json!({
        "scorecard": "application", "base_points": 500, "takes": {"default_risk": "number"},
        "characteristics": {
            "checking_status": [{"is": "none", "points": 55}, {"in": ["below_0"], "points": 5, "reason": "R301"}, {"otherwise": true, "points": 25}],
            "duration_months": [{"missing": true, "points": 0}, {"below": 12, "points": 40}, {"from": 12, "below": 36, "points": 25}, {"otherwise": true, "points": 10}],
        },
    });
    with(object("Points for what an applicant is", &keys), &types_used(), example)
}

pub(super) fn table() -> Json {
    let policies = [
        "first",
        "unique",
        "priority",
        "collect",
        "collect sum",
        "collect min",
        "collect max",
        "collect count",
    ];
    let cells = |what: &str| named(what, json!({"type": ["string", "number", "boolean"]}));
    let row = object(
        "one row",
        &[
            ("when", cells("column: cell; a column that is left out is `-`")),
            ("then", cells("output: value")),
        ],
    );
    let keys = [
        ("table!", text("the file's name before `.table.yaml`")),
        ("hit_policy", word("which matching rows answer", &policies)),
        ("columns", named("the type of a column by its name, `-> name` for an output", reference("field"))),
        ("separator", word("between the cells of `NAME.table.csv`", &[",", ";", "|", "tab"])),
        ("decimal_comma", boolean("cells write `0,129` for 0.129")),
        ("rows", list("the rows; without them they are in `NAME.table.csv`", row)),
    ];
    let example = json!({
        "table": "pricing", "hit_policy": "first",
        "columns": {"default_risk": "number", "-> apr": "decimal"},
        "rows": [{"when": {"default_risk": "< 0.05"}, "then": {"apr": 0.129}}, {"then": {"apr": 0.299}}],
    });
    with(object("A decision table, or the types of the one in NAME.table.csv", &keys), &types_used(), example)
}
