"""Tollgate's models held against scikit-learn's, on the same splits, over ten seeds.

    pip install scikit-learn==1.9.1 numpy==2.4.6
    cargo build --release
    python benches/models/auc.py target/release/tollgate > docs/models/auc.md

For each sample model, algorithm and seed: `tollgate train` fits by the model's own recipe (its grid and cross-validation
taken out, so that both fit the same parameters) and gives the AUC of the rows held out; scikit-learn's model of the same
kind is fitted on the same rows in the same columns and measured on the same rows held out. scikit-learn has no scorecard:
its stand-in is a decision tree's bins for each input, their weights of evidence, and its logistic regression over them.
Ends with 1 when a mean is further off than 0.01.
"""

import csv
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(1, 11)
MASK = (1 << 64) - 1
ALGORITHMS = """algorithms:
  logistic_regression: { kind: logistic_regression, alpha: 1.0 }
  decision_tree: { kind: decision_tree, max_depth: 5, min_rows_in_leaf: 20, seed: SEED }
  forest: { kind: forest, trees: 100, max_depth: 8, min_rows_in_leaf: 4, seed: SEED }
  extra_trees: { kind: extra_trees, trees: 100, max_depth: 8, min_rows_in_leaf: 4, seed: SEED }
  scorecard: { kind: scorecard, max_bins: 5, min_bin_share: 0.05 }
"""


class SplitMix64:
    """The generator that a recipe's seed means."""

    def __init__(self, seed):
        self.state = seed

    def below(self, count):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) * count) >> 64


def held_out(bad, fraction, seed):
    random, out = SplitMix64(seed), set()
    for wanted in (True, False):
        rows = [row for row, is_bad in enumerate(bad) if is_bad == wanted]
        for last in range(len(rows) - 1, 0, -1):
            other = random.below(last + 1)
            rows[last], rows[other] = rows[other], rows[last]
        out.update(rows[: math.floor(len(rows) * fraction + 0.5)])
    return np.array([row in out for row in range(len(bad))])


def features(recipe):
    """Name, categories (None of a number) and missing policy of each line under `features:`."""
    found, inside = [], False
    for line in recipe.splitlines():
        inside = line.startswith("features:") or (inside and not re.match(r"\S", line))
        match = re.match(r"  (\w+):\s+\{ type: (\w+)(?:, of: \[([^\]]*)\])?", line)
        if inside and match:
            of = [name.strip().strip("'") for name in match[3].split(",")] if match[3] else None
            missing = re.search(r"missing: (\{ as: (\w+) \}|\w+)", line)
            found.append((match[1], of, missing and (missing[2] or missing[1])))
    return found


def columns(rows, recipe, train):
    """The columns that both libraries fit on; means and medians come from the rows fitted on."""
    out = []
    for name, of, missing in features(recipe):
        cells = [row[name] for row in rows]
        gone = np.array([cell == "" for cell in cells])
        if of:
            if missing == "most_frequent":
                seen = [cell for cell, fit in zip(cells, train) if fit and cell]
                usual = max(of, key=seen.count)
                cells = [cell or usual for cell in cells]
            out += [np.array([float(cell == category) for cell in cells]) for category in of]
        else:
            given = np.sort([float(cell) for cell, fit in zip(cells, train) if fit and cell])
            fill = float(missing) if missing and missing.isdigit() else given[(len(given) - 1) // 2]
            out.append(np.array([float(cell) if cell else fill for cell in cells]))
        if missing == "own":
            out.append(gone.astype(float))
    return np.column_stack(out)


def standardised(x, train):
    """Numbers only, as a recipe does it: what is 0 or 1 stays."""
    is_number = [not np.isin(column, (0, 1)).all() for column in x.T]
    scale = x[train].std(axis=0)
    scaled = (x - x[train].mean(axis=0)) / np.where(scale > 0, scale, 1)
    return np.where(is_number, scaled, x)


def evidence(rows, recipe, bad, train):
    """Weights of evidence of a tree's bins, one column an input."""
    out = []
    for name, of, _ in features(recipe):
        cells = [row[name] for row in rows]
        if of:
            bins = np.array([of.index(cell) if cell in of else -1 for cell in cells])
        else:
            gone = np.array([cell == "" for cell in cells])
            x = np.array([float(cell) if cell else 0.0 for cell in cells]).reshape(-1, 1)
            fit = train & ~gone
            tree = DecisionTreeClassifier(max_leaf_nodes=5, min_samples_leaf=0.05).fit(x[fit], bad[fit])
            bins = np.where(gone, -1, tree.apply(x))
        column = np.zeros(len(rows))
        for one in np.unique(bins[train]):
            inside = bins == one
            b, g = (train & inside & bad).sum(), (train & inside & ~bad).sum()
            b, g = (b + 0.5, g + 0.5) if b == 0 or g == 0 else (b, g)
            column[inside] = math.log((b / (train & bad).sum()) / (g / (train & ~bad).sum()))
        out.append(column)
    return np.column_stack(out)


def scikit_learn(algorithm, rows, recipe, bad, train, seed):
    x = columns(rows, recipe, train)
    trees = dict(n_estimators=100, max_depth=8, min_samples_leaf=4, max_features="sqrt", random_state=seed)
    if algorithm == "logistic_regression":
        x, model = standardised(x, train), LogisticRegression(C=1.0, max_iter=10_000)
    elif algorithm == "decision_tree":
        model = DecisionTreeClassifier(max_depth=5, min_samples_leaf=20, random_state=seed)
    elif algorithm == "forest":
        model = RandomForestClassifier(**trees)
    elif algorithm == "extra_trees":
        model = ExtraTreesClassifier(**trees)
    else:
        x, model = evidence(rows, recipe, bad, train), LogisticRegression(C=1.0, max_iter=10_000)
    model.fit(x[train], bad[train])
    return roc_auc_score(bad[~train], model.predict_proba(x[~train])[:, 1])


def tollgate(program, folder, algorithm):
    command = [program, "train", folder.name, "--models", folder.parent, "--algorithm", algorithm, "--format", "json"]
    # Elsewhere, so that no configuration of this repository is read.
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=folder.parent)
    if ran.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{ran.stderr}")
    shutil.rmtree(json.loads(ran.stdout)["folder"])
    return json.loads(ran.stdout)["held_out"]["auc"]


def main():
    program = Path(sys.argv[1]).resolve()
    print("# AUC against scikit-learn\n")
    print("Written by `benches/models/auc.py`: means over ten seeds on the same splits; more is better.\n")
    print("| data | algorithm | Tollgate | scikit-learn | difference |\n|---|---|---|---|---|")
    worst = 0.0
    for name, data in [("german_credit", "german_credit.csv"), ("credit_history", "credit_data.csv")]:
        source = ROOT / "models" / name
        written = (source / "train.yaml").read_text()
        column, bad_value = re.search(r"column: (\w+)", written)[1], re.search(r"bad: (\w+)", written)[1]
        rows = list(csv.DictReader((source / "data" / data).open()))
        bad = np.array([row[column] == bad_value for row in rows])
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / name
            (folder / "data").mkdir(parents=True)
            shutil.copy(source / "data" / data, folder / "data" / data)
            for algorithm in re.findall(r"^  (\w+):", ALGORITHMS, re.M):
                ours, theirs = [], []
                for seed in SEEDS:
                    recipe = re.sub(r"(?m)^cv:.*\n", "", written)
                    recipe = re.sub(r"(split: .*seed: )\d+", rf"\g<1>{seed}", recipe)
                    fixed = ALGORITHMS.replace("SEED", str(seed))
                    recipe = re.sub(r"(?ms)^algorithms:\n.*?\n(?=\n|\S)", lambda _: fixed, recipe)
                    (folder / "train.yaml").write_text(recipe)
                    ours.append(tollgate(program, folder, algorithm))
                    train = ~held_out(bad, 0.3, seed)
                    theirs.append(scikit_learn(algorithm, rows, recipe, bad, train, seed))
                off = np.mean(ours) - np.mean(theirs)
                # Better is no fault of a scorecard, whose stand-in is another method.
                worst = max(worst, -off if algorithm == "scorecard" else abs(off))
                print(f"| {name} | {algorithm} | {np.mean(ours):.4f} | {np.mean(theirs):.4f} | {off:+.4f} |", flush=True)
    print(f"\nThe furthest mean is {worst:.4f} off; 0.01 is allowed.")
    sys.exit(int(worst > 0.01))


if __name__ == "__main__":
    main()
