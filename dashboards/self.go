package dashboards

// itself shows the monitor: whether what it tells can be trusted, and what it takes.
func itself() Dashboard {
	return newDashboard(uidSelf, "layerwatch / layerwatch itself",
		"The monitor: whether what it tells can be trusted, what it could not do, and what it takes.", "6h",
		[]variable{layerVariable(), networkVariable()},
		section{lines: []line{inLine(4, instances(), reloaded(), loadedWhen(), panics(), notRead(), running())}},
		titled("Is everything read?",
			inLine(8, readAge(), backlog(), delays()),
			inLine(8, failures(), panicsOverTime(), notReadOverTime()),
			inLine(8, settlementFailures(), settlementBehind(), settlementMissed(), settlementTold()),
		),
		titled("What it takes",
			inLine(8, processor(), memory(), goroutines()),
			inLine(8, files(), collections(), heap()),
			inLine(6, builds()),
		),
	)
}

func instances() Panel {
	return stat("Instances", plain, "How many instances of layerwatch are scraped.", now("count("+namespace+"_build_info) or vector(0)", ""), alarm(from(0, act), from(1, quiet)))
}

func reloaded() Panel {
	return stat("Configuration", plain, "Whether the configuration was loaded when that was last tried. If not, the networks of the one before go on.",
		now("min("+namespace+"_config_last_reload_successful)", ""), mapped(yesOrNo("loaded", fine, "refused", watch)))
}

func loadedWhen() Panel {
	return stat("Loaded", fromNow, "When a configuration was last loaded.", now("max("+namespace+"_config_last_reload_success_timestamp_seconds) * 1000", ""))
}

func panics() Panel {
	return stat("Panics, last day", plain, "Panics in a network's code, each of which cost one poll: mistakes in layerwatch.",
		now("round(sum("+done("1d", "network", "watcher_panics_total")+"))", ""), alarm(from(1, watch)))
}

func notRead() Panel {
	return stat("Blocks not read, last day", count, "Blocks given up on, unread: the gap after an absence longer than backfill.",
		now("round(sum("+within("1d", "network", "blocks_missed_total")+"))", ""), alarm(from(1, watch)))
}

func running() Panel {
	return stat("Running for", seconds, "How long ago the youngest instance was started.", now("time() - max("+own("process_start_time_seconds")+")", ""))
}

func readAge() Panel {
	return timeseries("Since the last read", seconds, "How long ago the heads of each network were last read.",
		query(age("network", "network_last_read_timestamp_seconds"), "{{network}}"), logarithmic())
}

func backlog() Panel {
	return timeseries("Backlog", blocksUnit, "Blocks between the last one counted and the newest: 0 unless layerwatch is catching up.",
		query(most("network", "backlog_blocks"), "{{network}}"), fromZero())
}

func delays() Panel {
	return timeseries("Delay until read", seconds, "From a block's own timestamp until it was read, 95 % of the blocks of ten minutes.",
		query(quantile(0.95, "network", "block_delay_seconds", "10m"), "{{network}}"), logarithmic())
}

func failures() Panel {
	return timeseries("Polls that failed", count, "Polls that failed on every endpoint, and cursors that could not be kept, in each interval.",
		query(done("$__rate_interval", "network, reason", "watcher_failures_total"), "{{network}}: {{reason}}"), asBars())
}

func panicsOverTime() Panel {
	return timeseries("Panics", count, "Panics in the network's code, in each interval.",
		query(done("$__rate_interval", "network", "watcher_panics_total"), "{{network}}"), asBars())
}

func notReadOverTime() Panel {
	return timeseries("Blocks not read", count, "Blocks given up on, unread, in each interval.",
		query(within("$__rate_interval", "network", "blocks_missed_total"), "{{network}}"), asBars())
}

func settlementFailures() Panel {
	return timeseries("Settlement: reads that failed", count, "Reads of the settlement on a parent that failed, in each interval.",
		query(done("$__rate_interval", "network, reason", "settlement_failures_total"), "{{network}}: {{reason}}"), asBars())
}

func settlementBehind() Panel {
	return timeseries("Settlement: parent's blocks behind", blocksUnit, "How far the reading of the settlement on a parent is behind the parent's newest block.",
		query("clamp_min("+most("network", "block_number", `tag="latest"`)+" - "+most("network", "settlement_parent_block_number")+", 0)", "{{network}}"), fromZero())
}

func settlementMissed() Panel {
	return timeseries("Settlement: blocks not looked at", count, "Blocks of a parent in which events were not looked for, after an absence longer than backfill.",
		query(within("$__rate_interval", "network", "settlement_parent_blocks_missed_total"), "{{network}}"), asBars())
}

func settlementTold() Panel {
	return states("Settlement: told", "Whether what a network's contracts and endpoints say of its settlement could be made out.",
		yesOrNo("told", fine, "not told", watch), query(most("network", "settlement_readable"), "{{network}}"))
}

func processor() Panel {
	return timeseries("Processor", share, "Of one core.", query("rate(process_cpu_seconds_total[$__rate_interval]) and on (job, instance) "+namespace+"_build_info", "{{instance}}"), fromZero())
}

func memory() Panel {
	return timeseries("Memory", bytesUnit, "What the operating system counts as the process's own.", query(own("process_resident_memory_bytes"), "{{instance}}"), fromZero())
}

func goroutines() Panel {
	return timeseries("Goroutines", count, "A number that only grows is a leak.", query(own("go_goroutines"), "{{instance}}"), fromZero())
}

func files() Panel {
	return timeseries("Open files", share, "Of those that the process may open: connections, mostly.",
		query(ratio("("+own("process_open_fds")+")", "process_max_fds"), "{{instance}}"), fromZero())
}

func collections() Panel {
	return timeseries("Garbage collections", rateUnit, "How often memory is tidied up.",
		query("rate(go_gc_duration_seconds_count[$__rate_interval]) and on (job, instance) "+namespace+"_build_info", "{{instance}}"), fromZero())
}

func heap() Panel {
	return timeseries("Heap", bytesUnit, "Memory in use by what the program holds.", query(own("go_memstats_heap_inuse_bytes"), "{{instance}}"), fromZero())
}

func builds() Panel {
	return table("Builds", "What runs.", by("Instance"),
		label("instance", "Instance"), label("version", "Version"), label("revision", "Revision"), label("goversion", "Go"),
		label("goos", "System"), label("goarch", "Machine"),
		hidden("max by (instance, version, revision, goversion, goos, goarch) ("+namespace+"_build_info)"))
}
