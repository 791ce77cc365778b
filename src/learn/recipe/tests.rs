//! Recipes as people write them, right and wrong.

use super::*;

const GOOD: &str = "\
model: loans
data: { file: loans.csv, separator: ; }
target: { column: y, bad: 'yes', good: NO }
split: { test_fraction: 0.3, seed: 7 }
algorithm: line
algorithms:
  line: { kind: logistic_regression }
  trees: { kind: forest, max_depth: 5, columns_per_split: 3 }
features:
  zeta: { type: number, encode: standardised, missing: { as: 1.5 } }
  alpha: { type: choice, of: [none, NO], unseen: { as: none }, missing: refuse }
  flag: { type: boolean, missing: { as: false } }
";

fn parse(text: &str) -> Result<Recipe, Vec<Diagnostic>> {
    Recipe::parse(4, &Source { path: "loans/train.yaml".to_owned(), text: Arc::from(text) })
}

#[test]
fn a_recipe_means_what_it_says() {
    let recipe = parse(GOOD).unwrap();
    assert_eq!(recipe.target.good, "NO", "a word is a word, not a boolean");
    assert_eq!(recipe.data.separator, Some(';'));
    assert_eq!(recipe.decimals, 6);
    let names: Vec<_> = recipe.features.iter().map(|feature| &*feature.name).collect();
    assert_eq!(names, ["zeta", "alpha", "flag"], "in the order written");
    assert_eq!(recipe.features[0].missing, Fallback::As(Value::Number(1.5)));
    assert_eq!(recipe.features[1].unseen, Fallback::As(Value::text("none")));
    assert_eq!(recipe.features[2].missing, Fallback::As(Value::Boolean(false)));
    assert_eq!(recipe.algorithm_named(None), Some(("line", Algorithm::LogisticRegression { alpha: 1.0 })));
    let trees =
        ForestRecipe { trees: 100, max_depth: 5, min_rows_in_leaf: 1, columns_per_split: Some(3), seed: 0 };
    assert_eq!(recipe.algorithm_named(Some("trees")), Some(("trees", Algorithm::Forest(trees))));
    assert_eq!(recipe.algorithm_named(Some("boost")), None);
}

#[test]
fn what_contradicts_itself_is_said_at_its_line() {
    let check = |from: &str, to: &str, line: usize, says: &str| {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let found = parse(&text).unwrap_err();
        assert_eq!(found[0].message, says);
        assert!(found[0].help.is_some());
        let start = found[0].place.span.start as usize;
        assert_eq!(
            (found[0].place.file, text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1),
            (4, line),
            "{says}"
        );
    };
    check(
        "algorithm: line",
        "algorithm: boost",
        5,
        "`algorithm` names `boost`, which `algorithms` does not declare",
    );
    check("0.3", "1.3", 4, "`test_fraction` is not from 0.05 to 0.95");
    check("good: NO", "good: 'yes'", 3, "`bad` and `good` are the same value");
    check("model: loans", "model: ../loans", 1, "`../loans` cannot be the name of a model");
    check("separator: ;", "separator: é", 2, "`separator` is not an ASCII character");
    check("max_depth: 5", "alpha: 5", 8, "`alpha` of algorithm `trees` means nothing to a forest");
    check("max_depth: 5", "max_depth: 0", 8, "`max_depth` of algorithm `trees` is not from 1 to 64");
    let seed = "`seed` of algorithm `line` means nothing to a logistic regression";
    check("logistic_regression }", "logistic_regression, seed: 1 }", 7, seed);
    check("of: [none, NO], ", "", 11, "feature `alpha` is a choice of nothing");
    check("type: number", "type: number, of: [a]", 10, "feature `zeta` has `of:` and is no choice");
    check("standardised", "one_hot", 10, "feature `zeta` cannot be encoded like this");
    check("as: 1.5", "as: much", 10, "`missing` of feature `zeta` stands for what the feature cannot be");
    check(
        "unseen: { as: none }",
        "unseen: { as: all }",
        11,
        "`unseen` of feature `alpha` stands for what the feature cannot be",
    );
    check(
        "flag: { type: boolean",
        "flag: { type: boolean, unseen: refuse",
        12,
        "feature `flag` says `unseen:` and is no choice",
    );
    check("column: y", "column: flag", 3, "`flag` is the target and a feature");
}

#[test]
fn everything_wrong_is_listed_at_once() {
    let text =
        GOOD.replace("0.3", "0").replace("as: 1.5", "as: x").replace("algorithm: line", "algorithm: x");
    assert_eq!(parse(&text).unwrap_err().len(), 3);
    let twice = format!(
        "{GOOD}left_out:\n  - {{ columns: [a, flag], because: x }}\n  - {{ columns: [a], because: y }}\n"
    );
    let found: Vec<_> = parse(&twice).unwrap_err().into_iter().map(|d| d.message).collect();
    assert_eq!(
        found,
        ["`flag` is left out, and is named elsewhere too", "`a` is left out, and is named elsewhere too"]
    );
}

#[test]
fn what_is_not_a_recipe_is_refused_by_its_first_fault() {
    for text in
        ["", "model: [", "model: x", &format!("{GOOD}colour: red\n"), &format!("{GOOD}model: again\n")]
    {
        assert_eq!(parse(text).unwrap_err().len(), 1, "{text}");
    }
}
