-- Decisions that stop to ask their caller (`need`) are made in parts, each an entry of kind 4 before its answer.

-- Of which decision an entry is a part; a decision that was made in parts has its own id here, so that one look finds
-- all of it. A part's own id is derived from the decision's and its number, so that no number can be taken twice.
ALTER TABLE entry ADD COLUMN decision_id BLOB;
CREATE INDEX entry_decision ON entry (decision_id) WHERE decision_id IS NOT NULL;
