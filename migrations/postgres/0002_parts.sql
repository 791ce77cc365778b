-- Decisions that stop to ask their caller (`need`) are made in parts: entries of kind 4 in the same logs.

-- Of which decision an entry is a part: any node must find them to go on. The decision itself stands in
-- public.decision under that id.
ALTER TABLE public.entry ADD COLUMN decision_id uuid;
CREATE INDEX entry_decision ON public.entry (decision_id) WHERE decision_id IS NOT NULL;

-- Two nodes may go on with one decision while neither sees the other's log: both entries have one id, the later one is
-- set aside (reason `duplicate`), and a third node's may be too.
ALTER TABLE public.set_aside DROP CONSTRAINT set_aside_pkey;
ALTER TABLE public.set_aside ADD PRIMARY KEY (id, node);
