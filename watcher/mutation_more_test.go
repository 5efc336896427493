package watcher

// mutation is a mistake in a file, and the tests that must notice it.
type mutation struct{ name, file, old, new, tests string }

// moreMutations are mistakes in what is around the tracker, each with the tests that must notice it.
var moreMutations = []mutation{
	{"the journal of another whole is believed", "journal.go", " || line.Generation != file.Generation", "", "TestJournalOf"},
	{"a journal without end", "journal.go", " || j.lines >= journalLines", "", "TestJournalIsBounded"},
	{"a journal that does not fit is believed", "journal.go", "!changed.valid()", "false", "TestJournalThatDoesNotFit"},
	{"a block that was replaced stays", "journal.go", "c.Tip().Number >= by.From", "c.Tip().Number > by.From", "TestJournalKeeps"},
	{"a block is left out of the journal", "journal.go", "to.Blocks[i+1:]", "to.Blocks[min(i+2, len(to.Blocks)):]", "TestJournalKeeps"},
	{"another genesis is not saved", "journal.go", "if c.Genesis != to.Genesis {", "if false {", "TestJournalKeeps"},
	{"a journal without the block before it", "journal.go", "j.begun = false // Half a line", "_ = 0 // Half a line", "TestFilesThat"},
	{
		"a journal that was deleted is a failure", "journal.go",
		"\t\treturn errJournalFull // Somebody tidied up.", "\t\treturn err", "TestFilesThat",
	},
	{"the whole is written each time", "store.go", "j.saved = cursor.clone()", "_ = cursor", "TestJournalIsBounded"},
	{"the journal is not read", "store.go", "return f.replay(of, file), nil", "return file.Cursor, nil", "TestJournalKeeps"},

	{"what is missed is counted, too", "sample.go", "Missed: gap - a.backfill", "Missed: gap", "TestSampledGap"},
	{"a block is left out of the samples", "sample.go", "from += chains.MaxSample {", "from += chains.MaxSample + 1 {", "TestSampledGap"},
	{"sampled blocks are as old as the head", "sample.go", "return before.Time.Add(time.Duration(share *", "return a.head.Time.Add(time.Duration(0 * share *", "TestSampledTimes"},
	{"half a century between two blocks", "sample.go", "timeless(before.Time)", "before.Time.IsZero()", "TestSampledAfter"},
	{"the first interval is lost", "sample.go", "ParentTime: tip.Time", "ParentTime: time.Time{}", "TestSampledIntervals"},
	{"a family without sampler panics", "sample.go", "\tif !ok {", "\tif !ok && false {", "TestFamilyWithout"},
	{"another chain is not noticed", "sample.go", "restarted, err := a.restartIfOther(ctx)", "restarted, err := false, error(nil)", "TestSampledHistories"},
	{"blocks that were not asked for are taken", "within.go", "b.Number < from || b.Number > to", "false", "TestOtherBlocks"},
	{"a chain set back is counted again", "advance.go", "case a.head.Number < a.cursor.Blocks[0].Number && a.sampled:", "case false:", "TestSampledChain"},
	{"a reorg is counted", "advance.go", "case a.head.Number <= a.cursor.Tip().Number && a.sampled:", "case false:", "TestSampledHistories"},
	{"sampled blocks are read", "advance.go", "\tif a.sampled {", "\tif false {", "TestSampledHistories"},
	{"the mean interval is off", "steps.go", "time.Duration(len(step.Blocks))", "time.Duration(len(step.Blocks)+1)", "TestSampledIntervals"},
	{"what was sampled is not counted", "steps.go", "append([]chains.Sample{chains.Blocks.Sample(1)}, b.Samples...)", "append([]chains.Sample{chains.Blocks.Sample(1)}, b.Samples[:0]...)", "TestSampledIntervals"},

	{"announcements during a poll are lost", "watcher.go", "wake: make(chan struct{}, 1)", "wake: make(chan struct{})", "TestAnnouncementDuring"},
	{"who announces is polled all the same", "watcher.go", "w.live.Store(live)", "w.live.Store(false)", "TestAnnouncedBlocksAreNot"},
	{"the end of announcements is not noticed", "watcher.go", "w.live.Store(live)", "w.live.Store(true)", "TestAnnouncementsThatEnd"},
	{"announcements defeat the back-off", "watcher.go", "if w.failing {\n\t\tsleep", "if false {\n\t\tsleep", "TestAnnouncementsWhile"},
	{"fast announcements are all polled for", "watcher.go", "sleep(ctx, time.Until(asked.Add(w.schedule.apart(thrift))))", "_ = asked", "TestFastAnnouncements"},
	{"Run does not wait", "watcher.go", "\tgroup.Wait()\n", "", "TestRunWaits"},
	{"what is settled is not", "watcher.go", "w.tracker.Settled(settledDepth)", "w.tracker.Settled(settledDepth - 1)", "TestCheckIsTold"},
	{"what is sampled is settled", "tracker.go", "t.cursor.Empty() || t.sampled", "t.cursor.Empty()", "TestSettledBlock"},
	{"a block never read is settled", "tracker.go", "i < 0 || !t.cursor.Blocks[i].applied()", "i < 0", "TestSettledBlock"},
	{"the genesis block is never settled", "tracker.go", "if tip < depth {", "if tip <= depth {", "TestSettledBlock"},

	{"what is new is not looked for in the past", "settlement.go", "s.again || revision != s.revision", "s.again", "TestSettlementLooksBackFor"},
	{"what the cursor has is known twice", "settlement.go", "h.block == b.Number && h.Event == e", "false && h.block == 0", "TestSettlementOfANetwork"},
	{"five failures end looking back", "settlement.go", "time.Since(s.failedAt) < lookBackAgain", "true", "TestSettlementLookBackIsTried"},
	{"failures do not delay looking back", "settlement.go", "s.failed >= lookBackTries && ", "false && ", "TestSettlementLookBackIsTried"},
	{"what was found stays after a reorg", "settlement.go", "\t\ts.drop(b.Number)\n", "\t\tif len(b.Events) > 0 {\n\t\t\ts.drop(b.Number)\n\t\t}\n", "TestSettlementLookBackAnd"},
	{"what a reorg took is not looked for again", "settlement.go", "s.again = true\n\t\t}\n\t}", "_ = left\n\t\t}\n\t}", "TestSettlementLooksBackAfterAReorg$"},

	{"a missing announcement is noticed late", "schedule.go", "min(2*s.interval+time.Second, s.stale/4)", "s.stale/4", "TestAnnouncementThatIsMissing"},
	{"announcements overrule thrift", "schedule.go", "if thrift <= 1 {", "if thrift <= 1000 {", "TestThrift$"},
	{"fast blocks are polled for one by one", "schedule.go", "s.spacing, s.gap = minSpacing, minSpacing", "s.spacing = minSpacing", "TestFastAnnouncements"},
	{"sampled blocks are polled for one by one", "schedule.go", "s.fixed = max(s.fixed, s.gap)", "_ = s.gap", "TestSampledPause"},
	{"nothing is learnt from a poll that came too early", "schedule.go", "case s.misses <= few:", "case false:", "TestAim"},
	{"the aim is never earlier", "schedule.go", "s.delay -= s.interval / 100", "s.delay -= 0", "TestAim"},
}
