//! Recipes as people write them, right and wrong.

use super::*;
use crate::domain::value::Value;

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
    assert_eq!(recipe.features[0].missing, Missing::As(Value::Number(1.5)));
    assert_eq!(recipe.features[1].unseen, Unseen::As(Value::text("none")));
    assert_eq!(recipe.features[2].missing, Missing::As(Value::Boolean(false)));
    let named = |name| recipe.algorithm_named(name).map(|(name, candidates)| (name, candidates.written));
    assert_eq!(named(None), Some(("line", Algorithm::LogisticRegression { alpha: 1.0 })));
    let trees =
        ForestRecipe { trees: 100, max_depth: 5, min_rows_in_leaf: 1, columns_per_split: Some(3), seed: 0 };
    assert_eq!(named(Some("trees")), Some(("trees", Algorithm::Forest(trees))));
    assert_eq!(named(Some("boost")), None);
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
    let means = "`pdo` of algorithm `trees` means nothing to a forest";
    check("max_depth: 5", "pdo: 5", 8, means);
    check(
        "kind: forest,",
        "kind: scorecard, max_bins: 1,",
        8,
        "`max_depth` of algorithm `trees` means nothing to a scorecard",
    );
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
fn a_grid_is_every_combination_over_what_is_written() {
    let grid = "kind: forest, max_depth: 5, grid: { trees: [10, 20], columns_per_split: [2, 3, 4] }";
    let text = GOOD.replace("kind: forest, max_depth: 5, columns_per_split: 3", grid);
    let recipe = parse(&text.replace("algorithm: line", "cv: { folds: 4 }\nalgorithm: line")).unwrap();
    assert_eq!(recipe.cross_validation, Some(CrossValidation { folds: 4 }));
    let tried: Vec<_> = recipe.algorithms["trees"]
        .grid
        .iter()
        .map(|algorithm| match algorithm {
            Algorithm::Forest(forest) => (forest.trees, forest.columns_per_split, forest.max_depth),
            other => panic!("{other:?}"),
        })
        .collect();
    let wanted = [10, 20].map(|trees| [2, 3, 4].map(|columns| (trees, Some(columns), 5))).concat();
    assert_eq!(tried, wanted);
    assert!(recipe.algorithms["line"].grid.is_empty());

    let found: Vec<_> = parse(&text).unwrap_err().into_iter().map(|d| d.message).collect();
    assert_eq!(found, ["a grid needs cross-validation to choose by"]);
}

#[test]
fn every_policy_is_for_the_types_that_it_fits() {
    let with =
        |feature: &str| parse(&GOOD.replace("flag: { type: boolean, missing: { as: false } }", feature));
    for fine in [
        "flag: { type: boolean, missing: own }",
        "flag: { type: boolean, missing: most_frequent, reason: R1 }",
        "flag: { type: integer, missing: median, cuts: [1, 2], trend: rising }",
        "flag: { type: choice, of: [a], missing: zero, unseen: zero }",
        "flag: { type: choice, of: [a], missing: own, unseen: refuse }",
    ] {
        assert!(with(fine).is_ok(), "{fine}");
    }
    for wrong in [
        "flag: { type: boolean, missing: median }",
        "flag: { type: integer, missing: zero }",
        "flag: { type: choice, of: [a], missing: median }",
        "flag: { type: choice, of: [a], trend: rising }",
        "flag: { type: integer, cuts: [2, 1] }",
        "flag: { type: integer, reason: 'R 1' }",
        "flag: { type: integer }\ncv: { folds: 1 }",
        "flag: { type: integer }\ncut_off: 1.5",
    ] {
        assert_eq!(with(wrong).unwrap_err().len(), 1, "{wrong}");
    }
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
