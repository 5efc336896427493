package dashboards

// options are those of a panel of one kind.
type options interface {
	// plugin is how Grafana calls the kind.
	plugin() string
}

// custom is what a kind of panel has of a field's own.
type custom interface{ custom() }

func (timeseriesOptions) plugin() string    { return "timeseries" }
func (statOptions) plugin() string          { return "stat" }
func (barGaugeOptions) plugin() string      { return "bargauge" }
func (tableOptions) plugin() string         { return "table" }
func (heatmapOptions) plugin() string       { return "heatmap" }
func (stateTimelineOptions) plugin() string { return "state-timeline" }
func (textOptions) plugin() string          { return "text" }

func (graphField) custom()    {}
func (tableField) custom()    {}
func (timelineField) custom() {}

type timeseriesOptions struct {
	Legend  legend  `json:"legend"`
	Tooltip tooltip `json:"tooltip"`
}

type legend struct {
	Calcs       []string `json:"calcs"`
	DisplayMode string   `json:"displayMode"`
	Placement   string   `json:"placement"`
	ShowLegend  bool     `json:"showLegend"`
}

type tooltip struct {
	Mode string `json:"mode"`
	Sort string `json:"sort"`
}

// graphField is how a series is drawn.
type graphField struct {
	DrawStyle         string             `json:"drawStyle"`
	LineInterpolation string             `json:"lineInterpolation"`
	LineWidth         int                `json:"lineWidth"`
	FillOpacity       int                `json:"fillOpacity"`
	GradientMode      string             `json:"gradientMode"`
	ShowPoints        string             `json:"showPoints"`
	SpanNulls         bool               `json:"spanNulls"`
	AxisLabel         string             `json:"axisLabel"`
	AxisPlacement     string             `json:"axisPlacement"`
	AxisSoftMin       *float64           `json:"axisSoftMin,omitempty"`
	ScaleDistribution *scaleDistribution `json:"scaleDistribution,omitempty"`
	Stacking          *stacking          `json:"stacking,omitempty"`
	LineStyle         *lineStyle         `json:"lineStyle,omitempty"`
	ThresholdsStyle   *thresholdsStyle   `json:"thresholdsStyle,omitempty"`
}

type scaleDistribution struct {
	Type string `json:"type"`
	Log  int    `json:"log,omitempty"`
}

type stacking struct {
	Mode  string `json:"mode"`
	Group string `json:"group"`
}

type lineStyle struct {
	Fill string `json:"fill"`
	Dash []int  `json:"dash"`
}

type thresholdsStyle struct {
	Mode string `json:"mode"`
}

// reduce is how one number is made of many.
type reduce struct {
	Calcs  []string `json:"calcs"`
	Fields string   `json:"fields"`
	Values bool     `json:"values"`
}

func last() reduce { return reduce{Calcs: []string{"lastNotNull"}} }

type statOptions struct {
	ReduceOptions reduce `json:"reduceOptions"`
	Orientation   string `json:"orientation"`
	ColorMode     string `json:"colorMode"`
	GraphMode     string `json:"graphMode"`
	JustifyMode   string `json:"justifyMode"`
	TextMode      string `json:"textMode"`
}

type barGaugeOptions struct {
	ReduceOptions reduce `json:"reduceOptions"`
	Orientation   string `json:"orientation"`
	DisplayMode   string `json:"displayMode"`
	ShowUnfilled  bool   `json:"showUnfilled"`
	MinVizHeight  int    `json:"minVizHeight"`
	MinVizWidth   int    `json:"minVizWidth"`
}

type tableOptions struct {
	ShowHeader bool     `json:"showHeader"`
	CellHeight string   `json:"cellHeight"`
	SortBy     []sortBy `json:"sortBy"`
}

type sortBy struct {
	DisplayName string `json:"displayName"`
	Desc        bool   `json:"desc"`
}

// tableField is how a column is shown.
type tableField struct {
	Align       string      `json:"align"`
	CellOptions cellOptions `json:"cellOptions"`
	Inspect     bool        `json:"inspect"`
}

type cellOptions struct {
	Type string `json:"type"`
	Mode string `json:"mode,omitempty"`
}

type heatmapOptions struct {
	Calculate  bool           `json:"calculate"`
	CellGap    int            `json:"cellGap"`
	CellValues cellValues     `json:"cellValues"`
	Color      heatmapColor   `json:"color"`
	Exemplars  exemplars      `json:"exemplars"`
	Filter     filterValues   `json:"filterValues"`
	Legend     heatmapLegend  `json:"legend"`
	RowsFrame  rowsFrame      `json:"rowsFrame"`
	ShowValue  string         `json:"showValue"`
	Tooltip    heatmapTooltip `json:"tooltip"`
	YAxis      yAxis          `json:"yAxis"`
}

type cellValues struct {
	Unit string `json:"unit"`
}

type heatmapColor struct {
	Mode     string  `json:"mode"`
	Scheme   string  `json:"scheme"`
	Scale    string  `json:"scale"`
	Exponent float64 `json:"exponent"`
	Fill     string  `json:"fill"`
	Reverse  bool    `json:"reverse"`
	Steps    int     `json:"steps"`
}

type exemplars struct {
	Color string `json:"color"`
}

// filterValues leaves empty cells out.
type filterValues struct {
	LE float64 `json:"le"`
}

type heatmapLegend struct {
	Show bool `json:"show"`
}

type rowsFrame struct {
	Layout string `json:"layout"`
	Value  string `json:"value"`
}

type heatmapTooltip struct {
	Mode       string `json:"mode"`
	YHistogram bool   `json:"yHistogram"`
}

type yAxis struct {
	AxisPlacement string `json:"axisPlacement"`
	Unit          string `json:"unit"`
	Reverse       bool   `json:"reverse"`
}

type stateTimelineOptions struct {
	AlignValue  string  `json:"alignValue"`
	MergeValues bool    `json:"mergeValues"`
	RowHeight   float64 `json:"rowHeight"`
	ShowValue   string  `json:"showValue"`
	Legend      legend  `json:"legend"`
	Tooltip     tooltip `json:"tooltip"`
}

type timelineField struct {
	FillOpacity int `json:"fillOpacity"`
	LineWidth   int `json:"lineWidth"`
}

type textOptions struct {
	Mode    string `json:"mode"`
	Content string `json:"content"`
}
