//! Steps compute what they are named after, and graphs that are none are refused.

use super::*;

fn graph(columns: usize, constants: Vec<f64>, steps: Vec<Step>, answer: Slot) -> Result<Graph, ModelError> {
    Graph::new(GraphParts { columns, constants, steps, answer, is_probability: false })
}

#[test]
fn each_step_gives_its_numbers_after_what_came_before() {
    let width = Width::Single;
    let steps = vec![
        // 3, 4: (x - 1) and (y - 1)
        Step::Binary { does: Binary::Minus, left: vec![0, 1], right: vec![2, 2], width },
        // 5: 2 (x - 1) - (y - 1) + 0.5
        Step::Dense { of: vec![3, 4], weights: vec![2.0, -1.0], bias: vec![0.5], width },
        // 6: max(0, 5)
        Step::Unary { does: Unary::Relu, of: vec![5], width },
    ];
    let graph = graph(2, vec![1.0], steps, 6).unwrap();
    assert_eq!(graph.answer(&[3.0, 2.0]).to_bits(), 3.5_f64.to_bits());
    assert!(graph.answer(&[1.0, 9.0]).abs() < 1e-300);
    // In 32 bits, 0.1 - 1 is not what it is in 64.
    assert!(graph.answer(&[f64::from(0.1_f32), 1.0]).abs() < 1e-300);
}

#[test]
fn shares_norms_and_choices() {
    let width = Width::Double;
    let check = |step: Step, row: [f64; 3], wanted: &[f64]| {
        for (at, wanted) in wanted.iter().enumerate() {
            let graph = graph(3, vec![], vec![step.clone()], 3 + at as u32).unwrap();
            assert!((graph.answer(&row) - wanted).abs() < 1e-12, "{step:?}");
        }
    };
    let of = vec![0, 1];
    let half = 1.0 / (1.0 + std::f64::consts::E);
    check(Step::Softmax { of: of.clone(), width }, [1.0, 2.0, 0.0], &[half, 1.0 - half]);
    check(Step::Normalise { norm: Norm::Sum, of: of.clone(), width }, [1.0, -3.0, 0.0], &[0.25, -0.75]);
    check(Step::Normalise { norm: Norm::Euclid, of: of.clone(), width }, [3.0, 4.0, 0.0], &[0.6, 0.8]);
    check(Step::Normalise { norm: Norm::Greatest, of: of.clone(), width }, [0.0, 0.0, 0.0], &[0.0, 0.0]);
    let lookup =
        Step::Lookup { of: vec![0], keys: vec![1.0, 2.0], values: vec![10.0, 20.0], otherwise: -1.0 };
    check(lookup.clone(), [2.0, 0.0, 0.0], &[20.0]);
    check(lookup, [f64::NAN, 0.0, 0.0], &[-1.0]);
    let missing = Step::Unary { does: Unary::IsMissing, of: vec![0], width };
    check(missing, [f64::NAN, 0.0, 0.0], &[1.0]);
    let choose = Step::Choose { condition: vec![0], then: vec![1], otherwise: vec![2] };
    check(choose.clone(), [1.0, 5.0, 6.0], &[5.0]);
    check(choose, [0.0, 5.0, 6.0], &[6.0]);
}

#[test]
fn what_is_no_graph_is_refused_with_its_place() {
    let width = Width::Double;
    let check = |steps: Vec<Step>, answer: Slot, says: &str| {
        assert_eq!(graph(2, vec![], steps, answer).unwrap_err().to_string(), says);
    };
    let unary = |of: Vec<Slot>| Step::Unary { does: Unary::Relu, of, width };
    check(vec![unary(vec![2])], 2, "step 0: it reads what does not stand before it");
    check(vec![unary(vec![])], 0, "step 0: it reads nothing");
    check(vec![unary(vec![0])], 3, "step 1: the answer stands nowhere");
    let dense = |weights: Vec<f64>| Step::Dense { of: vec![0, 1], weights, bias: vec![0.0], width };
    check(vec![dense(vec![1.0])], 2, "step 0: its parts are not of one size");
    check(vec![dense(vec![1.0, f64::NAN])], 2, "step 0: one of its numbers is not finite");
    let pair = Step::Binary { does: Binary::Plus, left: vec![0], right: vec![0, 1], width };
    check(vec![pair], 2, "step 0: its parts are not of one size");
}

#[test]
fn the_explainable_step_is_found_behind_what_bends_and_not_behind_what_mixes() {
    let width = Width::Single;
    let scaled = Step::Binary { does: Binary::Times, left: vec![0, 1], right: vec![2, 2], width };
    let dense = |of: Vec<Slot>| Step::Dense { of, weights: vec![1.0, 1.0], bias: vec![0.0], width };
    let logistic = |of: Slot| Step::Unary { does: Unary::Logistic, of: vec![of], width };
    let one = graph(2, vec![0.5], vec![scaled.clone(), dense(vec![3, 4]), logistic(5)], 6).unwrap();
    assert_eq!(one.core_origins(), [Some(0), Some(1)]);
    assert!(matches!(one.core(), Some((CoreStep::Linear { .. }, Space::LogOdds))));
    let mixing = Step::Dense { of: vec![3, 4], weights: vec![1.0; 4], bias: vec![0.0; 2], width };
    let two = graph(2, vec![0.5], vec![scaled, mixing, dense(vec![5, 6])], 7).unwrap();
    assert!(two.core().is_none());
}
