//! What is fitted answers as it says, and what is wrong is refused.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn number(name: &str) -> Feature {
    Feature {
        name: Arc::from(name),
        kind: Kind::Number,
        encoding: Encoding::AsIs,
        missing: Fallback::Refuse,
        flags_missing: false,
        unseen: Fallback::Refuse,
        range: None,
    }
}

fn choice(name: &str, of: &[&str]) -> Feature {
    let categories = of.iter().map(|category| Arc::from(*category)).collect();
    Feature { kind: Kind::Choice(categories), encoding: Encoding::OneHot, ..number(name) }
}

fn parts(features: Vec<Feature>, predictor: Predictor) -> ModelParts {
    ModelParts {
        name: Arc::from("m"),
        version: 1,
        digest: Arc::from("sha256:0"),
        decimals: 6,
        features,
        predictor,
    }
}

fn linear(features: Vec<Feature>, coefficients: &[f64]) -> Result<Model, ModelError> {
    Model::new(parts(features, Predictor::Logistic(Logistic::new(0.0, coefficients.to_vec())?)))
}

/// What the model adds up, seen through the sigmoid.
#[track_caller]
fn margin(model: &Model, row: &[Value]) -> f64 {
    let p = model.predict(row).unwrap();
    (p / (1.0 - p)).ln()
}

fn stump(column: usize, threshold: f64) -> Vec<Node> {
    vec![Node::Split { column, threshold, low: 1, high: 2 }, Node::Leaf(0.25), Node::Leaf(0.75)]
}

/// The plainest reading of a tree, to hold the flattened one to.
fn walk(tree: &[Node], row: &[f64]) -> f64 {
    let mut at = 0;
    loop {
        match tree[at] {
            Node::Leaf(value) => return value,
            Node::Split { column, threshold, low, high } => {
                at = if row[column] <= threshold { low } else { high };
            }
        }
    }
}

/// A tree over `columns`, grown by splitting a random leaf a few times.
fn some_tree(columns: usize) -> impl Strategy<Value = Vec<Node>> {
    let split = (any::<prop::sample::Index>(), 0..columns, -4.0..4.0_f64, 0.0..=1.0_f64, 0.0..=1.0_f64);
    (0.0..=1.0_f64, proptest::collection::vec(split, 0..40)).prop_map(|(root, splits)| {
        let mut tree = vec![Node::Leaf(root)];
        for (which, column, threshold, low, high) in splits {
            let leaves: Vec<_> = (0..tree.len()).filter(|at| matches!(tree[*at], Node::Leaf(_))).collect();
            let at = leaves[which.index(leaves.len())];
            tree[at] = Node::Split { column, threshold, low: tree.len(), high: tree.len() + 1 };
            tree.extend([Node::Leaf(low), Node::Leaf(high)]);
        }
        tree
    })
}

proptest! {
    #[test]
    fn a_flattened_forest_is_the_mean_of_its_leaves_to_the_last_bit(
        trees in proptest::collection::vec(some_tree(5), 1..14),
        rows in proptest::collection::vec(proptest::collection::vec(-5.0..5.0_f64, 5), 1..8),
    ) {
        let forest = Forest::new(&trees, 5).unwrap();
        let features = ["a", "b", "c", "d", "e"].map(number).to_vec();
        let model = Model::new(parts(features, Predictor::Forest(forest))).unwrap();
        for row in rows {
            let mut sum = 0.0;
            for tree in &trees {
                sum += walk(tree, &row);
            }
            let values: Vec<_> = row.iter().copied().map(Value::Number).collect();
            let served = model.predict(&values).unwrap();
            prop_assert_eq!(served.to_bits(), (sum / trees.len() as f64).to_bits());
        }
    }

    #[test]
    fn every_answer_is_a_probability(x in any::<f64>(), coefficient in -1e300..1e300_f64) {
        let model = linear(vec![number("x")], &[coefficient]).unwrap();
        match model.predict(&[Value::Number(x)]) {
            Ok(p) => prop_assert!((0.0..=1.0).contains(&p)),
            Err(failure) => prop_assert_eq!((failure.code, x.is_finite()), ("not_finite", false)),
        }
    }
}

#[test]
fn terms_that_leave_no_number_fail_instead_of_guessing() {
    let model = linear(vec![number("x"), number("y")], &[1e300, -1e300]).unwrap();
    let answer = |x: f64, y: f64| model.predict(&[Value::Number(x), Value::Number(y)]);
    assert_eq!(answer(1e300, 1e300).unwrap_err().code, "not_finite");
    assert!(answer(1e300, 0.0).unwrap() > 0.99 && answer(0.0, 1e300).unwrap() < 0.01);
}

#[test]
fn a_threshold_belongs_to_the_lower_side() {
    let forest = Forest::new(&[stump(0, 1.5)], 1).unwrap();
    let model = Model::new(parts(vec![number("x")], Predictor::Forest(forest))).unwrap();
    let answer = |x: f64| model.predict(&[Value::Number(x)]).unwrap() > 0.5;
    assert_eq!([answer(1.5), answer(1.5_f64.next_up())], [false, true]);
}

#[test]
fn the_last_column_counts_whatever_the_width() {
    for width in [1, 62, 63, 64, 65, 254, 255, 256, 1023, 1024, 4095] {
        let categories: Vec<String> = (0..width).map(|n| format!("c{n}")).collect();
        let categories: Vec<&str> = categories.iter().map(String::as_str).collect();
        let forest = Forest::new(&[stump(width - 1, 0.5)], width).unwrap();
        let model = Model::new(parts(vec![choice("c", &categories)], Predictor::Forest(forest))).unwrap();
        let answer = |category: &str| model.predict(&[Value::text(category)]).unwrap() > 0.5;
        assert!(answer(&format!("c{}", width - 1)), "{width} columns");
        if width > 1 {
            assert!(!answer("c0"), "{width} columns");
        }
    }
}

#[test]
fn trees_that_are_none_are_refused_with_their_place() {
    let split = |column, threshold, low, high| Node::Split { column, threshold, low, high };
    let leaf = Node::Leaf(0.5);
    let check = |tree: Vec<Node>, says: &str| {
        let error = Forest::new(&[stump(0, 0.0), tree], 2).unwrap_err();
        assert_eq!(error.to_string(), says);
    };
    check(vec![split(0, 0.0, 0, 1), leaf], "tree 1, node 0: a child stands before its parent");
    check(
        vec![split(0, 0.0, 1, 2), split(0, 0.0, 0, 2), leaf],
        "tree 1, node 1: a child stands before its parent",
    );
    check(vec![split(0, 0.0, 1, 1), leaf], "tree 1, node 0: a child has two parents");
    check(vec![split(0, 0.0, 1, 2), leaf], "tree 1, node 0: a child does not exist");
    check(vec![leaf, leaf], "tree 1, node 1: no split leads to it");
    check(vec![split(2, 0.0, 1, 2), leaf, leaf], "tree 1, node 0: it splits on a column that does not exist");
    check(vec![split(0, f64::NAN, 1, 2), leaf, leaf], "tree 1, node 0: its threshold is not a finite number");
    check(
        vec![split(0, f64::INFINITY, 1, 2), leaf, leaf],
        "tree 1, node 0: its threshold is not a finite number",
    );
    check(vec![Node::Leaf(f64::NAN)], "tree 1, node 0: a leaf's value is not a probability");
    check(vec![Node::Leaf(1.5)], "tree 1, node 0: a leaf's value is not a probability");
    check(vec![], "tree 1 has 0 nodes; it needs 1 to 1048576");
    let mut chain = Vec::new();
    for level in 0..70 {
        chain.extend([split(0, 0.0, 2 * level + 1, 2 * level + 2), leaf]);
    }
    chain.push(leaf);
    // Each split's high child is the next split.
    check(chain, "tree 1, node 128: it lies deeper than 64 levels");
    assert!(Forest::new(&[], 1).is_err());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let check =
        |model: Result<Model, ModelError>, says: &str| assert_eq!(model.unwrap_err().to_string(), says);
    check(linear(vec![], &[]), "a model needs 1 to 1000 features, and this one has 0");
    check(linear(vec![number("a")], &[1.0, 2.0]), "the features give 1 columns, but the weights are for 2");
    check(linear(vec![number("a"), number("a")], &[1.0, 2.0]), "feature `a` stands twice");
    check(linear(vec![number("a")], &[f64::NAN]), "coefficient 0 is not a finite number");
    check(linear(vec![choice("a", &["x", "x"])], &[1.0, 2.0]), "feature `a`: a category stands twice");
    let scale = Feature { encoding: Encoding::Standardised { mean: 0.0, scale: 0.0 }, ..number("a") };
    check(linear(vec![scale], &[1.0]), "feature `a`: mean and scale must be finite, and the scale above 0");
    let hot = Feature { encoding: Encoding::OneHot, ..number("a") };
    check(linear(vec![hot], &[1.0]), "feature `a`: only a choice can be one-hot");
    let wrong = Feature { missing: Fallback::As(Value::text("x")), ..number("a") };
    check(
        linear(vec![wrong], &[1.0]),
        "feature `a`: what stands for a missing value is not of the feature's type",
    );
    let undeclared = Feature { unseen: Fallback::As(Value::text("z")), ..choice("a", &["x"]) };
    check(
        linear(vec![undeclared], &[1.0]),
        "feature `a`: what stands for an unseen category is not a declared one",
    );
    let text = Feature { kind: Kind::Text, ..number("a") };
    let says = "feature `a`: a model reads integers, decimals, numbers, booleans and choices only";
    check(linear(vec![text], &[1.0]), says);
}

#[test]
fn each_encoding_gives_its_columns() {
    let features = vec![
        number("plain"),
        Feature { encoding: Encoding::Standardised { mean: 10.0, scale: 4.0 }, ..number("standard") },
        choice("kind", &["x", "y", "z"]),
        Feature { kind: Kind::Boolean, ..number("flag") },
    ];
    let row = vec![
        Value::Integer(7),
        Value::Decimal("12.50".parse().unwrap()),
        Value::text("y"),
        Value::Boolean(true),
    ];
    let matrix = encode_rows(&features, &[row]).unwrap();
    assert_eq!(matrix, Matrix { width: 6, cells: vec![7.0, 0.625, 0.0, 1.0, 0.0, 1.0] });
    assert_eq!(column_names(&features), ["plain", "standard", "kind=x", "kind=y", "kind=z", "flag"]);
}

#[test]
fn what_is_missing_or_unseen_does_what_was_declared() {
    let refusing = linear(vec![number("a"), choice("b", &["x", "y"])], &[1.0, 2.0, 4.0]).unwrap();
    let check = |row: [Value; 2], code: &str, detail: &str| {
        let failure = refusing.predict(&row).unwrap_err();
        assert_eq!((failure.code, failure.detail.as_str()), (code, detail));
    };
    let one = Value::Number(1.0);
    check([Value::Missing, Value::text("x")], "missing_value", "the model needs `a`, which is missing");
    check([one.clone(), Value::Missing], "missing_value", "the model needs `b`, which is missing");
    let unseen = "`b` has a category that the model was not fitted on";
    check([one.clone(), Value::text("secret")], "unknown_category", unseen);
    check([Value::text("1"), Value::text("x")], "wrong_type", "`a` is not of the type that the model reads");
    check([one.clone(), Value::Integer(1)], "wrong_type", "`b` is not of the type that the model reads");
    check([Value::Number(f64::INFINITY), Value::text("x")], "not_finite", "`a` is too large for the model");
    assert_eq!(refusing.predict(&[one]).unwrap_err().code, "wrong_row");

    let standing_in = linear(
        vec![
            Feature { missing: Fallback::As(Value::Integer(3)), ..number("a") },
            Feature {
                missing: Fallback::As(Value::text("x")),
                flags_missing: false,
                unseen: Fallback::As(Value::text("y")),
                ..choice("b", &["x", "y"])
            },
        ],
        &[0.1, 0.2, 0.4],
    )
    .unwrap();
    assert!((margin(&standing_in, &[Value::Missing, Value::Missing]) - 0.5).abs() < 1e-12);
    assert!((margin(&standing_in, &[Value::Number(0.0), Value::text("other")]) - 0.4).abs() < 1e-12);
}

#[test]
fn numbers_widen_and_never_narrow() {
    let takes = |own: Kind, given: Kind| ModelInput { name: Arc::from("x"), kind: own }.takes(&given);
    let of = |names: &[&str]| Kind::Choice(names.iter().map(|name| Arc::from(*name)).collect());
    assert!(takes(Kind::Number, Kind::Decimal) && takes(Kind::Decimal, Kind::Integer));
    assert!(!takes(Kind::Integer, Kind::Decimal) && !takes(Kind::Decimal, Kind::Number));
    assert!(takes(of(&["a"]), Kind::Text) && takes(of(&["a"]), of(&["a", "b"])));
    assert!(!takes(Kind::Boolean, Kind::Integer) && takes(Kind::Boolean, Kind::Boolean));
}

/// So wide that only a few rows fit together, and not a multiple of them.
#[test]
fn many_rows_of_wide_models_give_the_bits_of_one_at_a_time() {
    for columns in [1, 40, 100, 300, 900] {
        let trees: Vec<Vec<Node>> =
            (0..21).map(|tree| stump((tree * 37) % columns, f64::from(tree as u32) / 21.0)).collect();
        let forest = Predictor::Forest(Forest::new(&trees, columns).unwrap());
        let branch = |node: &Node| match *node {
            Node::Leaf(value) => Branch::Leaf(value),
            Node::Split { column, threshold, low, high } => {
                let missing = Missing::Goes(if threshold < 0.5 { Side::Low } else { Side::High });
                Branch::Split { column, rule: Rule::AtMost { threshold, missing }, low, high }
            }
        };
        let boosted = BoostedParts {
            trees: trees.iter().map(|tree| tree.iter().map(branch).collect()).collect(),
            sets: Vec::new(),
            columns,
            width: Width::Double,
            base: 0.1,
            base_comes: BaseComes::First,
            divide_by: 1,
            link: Link::Logistic { slope: 1.0 },
        };
        for predictor in [forest, Predictor::Boosted(Boosted::new(&boosted).unwrap())] {
            let features = (0..columns).map(|at| number(&format!("c{at}"))).collect();
            let model = Model::new(parts(features, predictor)).unwrap();
            let cell = |row: usize, at: usize| Value::Number(((row * 31 + at * 17) % 101) as f64 / 100.0);
            let rows: Vec<Vec<Value>> =
                (0..75).map(|row| (0..columns).map(|at| cell(row, at)).collect()).collect();
            let by_column: Vec<Vec<Value>> =
                (0..columns).map(|at| rows.iter().map(|row| row[at].clone()).collect()).collect();
            let alone: Vec<u64> = rows.iter().map(|row| model.predict(row).unwrap().to_bits()).collect();
            let many: Vec<u64> =
                model.predict_all(&rows).into_iter().map(|answer| answer.unwrap().to_bits()).collect();
            let together = model.predict_columns(&Columns::of_lists(by_column).unwrap()).unwrap();
            for few in 1..10 {
                let flat = rows.iter().take(few).flatten().cloned().collect();
                let answers = model.predict_columns(&Columns::of_rows(flat, columns)).unwrap();
                assert_eq!(answers.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), alone[..few]);
            }
            assert_eq!(alone, many, "{columns} columns");
            assert_eq!(alone, together.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), "{columns} columns");
            assert!(alone.iter().any(|bits| *bits != alone[0]));
        }
    }
}
