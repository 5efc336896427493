package lightning

import "github.com/layerwatch/layerwatch/chains"

// how is how a channel was closed.
type how string

// The ways to close a channel; the empty one is not known yet.
const (
	cooperative how = "cooperative"
	force       how = "force"
	breach      how = "breach"
	abandoned   how = "abandoned"
	unknown     how = "unknown"
)

func ways() []how { return []how{cooperative, force, breach, abandoned, unknown} }

// ledger follows a node's channels from poll to poll, so that each opening and each closing is counted once. What happened
// while nobody watched is not counted.
type ledger struct {
	// open are the channels that were open when they were last told of; nil before the first time.
	open map[string]bool
	// leaving are those that are no longer, and of which it is not known how they end.
	leaving map[string]bool

	openings int
	closings map[how]int
}

// follow notes how the channels are now, and gives those that are no longer told of.
func (l *ledger) follow(channels []channel) (gone []string) {
	first := l.open == nil
	if first {
		l.open, l.leaving = make(map[string]bool), make(map[string]bool)
	}
	l.openings, l.closings = 0, make(map[how]int)
	there := make(map[string]bool, len(channels))
	for _, c := range channels {
		there[c.id] = true
		switch {
		case c.isOpen() && !l.open[c.id]:
			if l.open[c.id] = true; !first {
				l.openings++
			}
		case c.isOpen(), c.state == opening:
		case c.how != "":
			l.end(c.id, c.how)
		case first, l.open[c.id]:
			delete(l.open, c.id)
			l.leaving[c.id] = true
		}
	}
	for id := range l.open {
		if !there[id] {
			delete(l.open, id)
			l.leaving[id] = true
		}
	}
	for id := range l.leaving {
		if !there[id] {
			gone = append(gone, id)
		}
	}
	return gone
}

// end counts the closing of a channel, unless it was counted before or never open while somebody watched.
func (l *ledger) end(id string, by how) {
	if l.open[id] || l.leaving[id] {
		l.closings[by]++
	}
	delete(l.open, id)
	delete(l.leaving, id)
}

// samples tell what was counted since the last time. What did not happen counts nothing, but is known not to have happened.
func (l *ledger) samples(endpoint string) []chains.Sample {
	samples := []chains.Sample{nodeChannelOpenings.Sample(float64(l.openings), endpoint)}
	for _, by := range ways() {
		samples = append(samples, nodeChannelClosings.Sample(float64(l.closings[by]), endpoint, string(by)))
	}
	return samples
}
