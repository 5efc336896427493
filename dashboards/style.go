package dashboards

// Units, as Grafana calls them (packages/grafana-data/src/valueFormats/categories.ts).
const (
	seconds    = "s"
	dollars    = "currencyUSD"
	gwei       = "suffix:gwei"
	wei        = "si:wei"
	coins      = "none"
	times      = "suffix:×"
	share      = "percentunit"
	count      = "short"
	plain      = "none"
	number     = "locale"
	bytesUnit  = "bytes"
	bytesRate  = "binBps"
	callsRate  = "reqps"
	gasPerSec  = "suffix:Mgas/s"
	rateUnit   = "suffix:/s"
	blocksUnit = "suffix:blocks"
	fromNow    = "dateTimeFromNow"
)

// Colours. Red is kept for what a person must act on, orange for what may become that; the rest is calm.
const (
	act      = "red"
	watch    = "orange"
	fine     = "green"
	calm     = "blue"
	quiet    = "text"
	unseen   = "transparent"
	faint    = "super-light-blue"
	first    = "light-blue"
	second   = "blue"
	third    = "dark-blue"
	contrast = "purple"
	extra    = "#37B3A8"
)

func from(value float64, colour string) step { return step{Color: colour, Value: &value} }

// steps colours values: below the first step they are in the base colour.
func steps(base string, more ...step) *thresholds {
	return &thresholds{Mode: "absolute", Steps: append([]step{{Color: base}}, more...)}
}

// unknown shows what is not there as a dash.
func unknown() mapping { return absent(quiet) }

// absent shows what is not there as a dash in a colour.
func absent(colour string) mapping {
	return mapping{Type: "special", Options: special{Match: "null+nan", Result: result{Text: "–", Color: colour, Index: 9}}}
}

// upOrDown shows 1 as up and 0 as down.
func upOrDown() mapping {
	return mapping{Type: "value", Options: map[string]result{
		"0": {Text: "down", Color: act, Index: 0}, "1": {Text: "up", Color: fine, Index: 1},
	}}
}

// yesOrNo shows 1 and 0 as words.
func yesOrNo(yes, yesColour, no, noColour string) mapping {
	return mapping{Type: "value", Options: map[string]result{
		"0": {Text: no, Color: noColour, Index: 0}, "1": {Text: yes, Color: yesColour, Index: 1},
	}}
}
