package dashboards

// Grafana's JSON model of a dashboard, as far as these dashboards use it: github.com/grafana/grafana,
// kinds/dashboard and public/app/plugins/panel/*/panelcfg, published as npm's @grafana/schema. The names are Grafana's.

// schemaVersion is that of the model: what Grafana 9.4 writes, and newer ones read.
const schemaVersion = 38

// Dashboard is one dashboard.
type Dashboard struct {
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	SchemaVersion int         `json:"schemaVersion"`
	Editable      bool        `json:"editable"`
	GraphTooltip  int         `json:"graphTooltip"`
	Timezone      string      `json:"timezone"`
	Time          timeRange   `json:"time"`
	Refresh       string      `json:"refresh"`
	Templating    templating  `json:"templating"`
	Annotations   annotations `json:"annotations"`
	Links         []link      `json:"links"`
	Panels        []Panel     `json:"panels"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"`
}

type annotations struct {
	List []annotation `json:"list"`
}

// datasource names a data source, by the variable that chooses it.
type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// variable is a choice at the top of a dashboard.
type variable struct {
	Name        string      `json:"name"`
	Label       string      `json:"label"`
	Description string      `json:"description"`
	Type        string      `json:"type"`
	Datasource  *datasource `json:"datasource,omitempty"`
	Query       any         `json:"query"`
	Regex       string      `json:"regex"`
	Refresh     int         `json:"refresh"`
	Sort        int         `json:"sort"`
	Multi       bool        `json:"multi"`
	IncludeAll  bool        `json:"includeAll"`
	Current     *option     `json:"current,omitempty"`
	Hide        int         `json:"hide"`
}

// option is what a variable is set to.
type option struct {
	Selected bool     `json:"selected"`
	Text     []string `json:"text"`
	Value    []string `json:"value"`
}

// variableQuery is how Prometheus' data source takes the query of a variable.
type variableQuery struct {
	Query string `json:"query"`
	RefID string `json:"refId"`
}

// annotation is a mark on every panel that has a time axis. What it asks for stands in it twice: Grafana up to version 9
// reads Expr, newer ones Target.
type annotation struct {
	Name        string     `json:"name"`
	Datasource  datasource `json:"datasource"`
	Enable      bool       `json:"enable"`
	Hide        bool       `json:"hide"`
	IconColor   string     `json:"iconColor"`
	Expr        string     `json:"expr"`
	Step        string     `json:"step"`
	TitleFormat string     `json:"titleFormat"`
	TextFormat  string     `json:"textFormat"`
	TagKeys     string     `json:"tagKeys"`
	Target      *Target    `json:"target"`
}

// link is a link at the top of a dashboard.
type link struct {
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	URL         string   `json:"url"`
	Tooltip     string   `json:"tooltip"`
	Icon        string   `json:"icon"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
	TargetBlank bool     `json:"targetBlank"`
}

// Panel is one panel, or a row that heads those below it.
type Panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	Transparent     bool             `json:"transparent,omitempty"`
	GridPos         gridPos          `json:"gridPos"`
	Datasource      *datasource      `json:"datasource,omitempty"`
	Targets         []Target         `json:"targets,omitempty"`
	Interval        string           `json:"interval,omitempty"`
	TimeFrom        string           `json:"timeFrom,omitempty"`
	MaxDataPoints   int              `json:"maxDataPoints,omitempty"`
	FieldConfig     *fieldConfig     `json:"fieldConfig,omitempty"`
	Options         options          `json:"options,omitempty"`
	Transformations []transformation `json:"transformations,omitempty"`
	// Collapsed and Panels are a row's.
	Collapsed *bool    `json:"collapsed,omitempty"`
	Panels    *[]Panel `json:"panels,omitempty"`
}

// gridPos is where a panel stands on the grid of 24 columns.
type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// Target is a query of a panel.
type Target struct {
	RefID        string      `json:"refId"`
	Datasource   *datasource `json:"datasource,omitempty"`
	Expr         string      `json:"expr"`
	LegendFormat string      `json:"legendFormat,omitempty"`
	Format       string      `json:"format,omitempty"`
	Instant      bool        `json:"instant"`
	Range        bool        `json:"range"`
	Interval     string      `json:"interval,omitempty"`
}

// transformation changes the answers of queries before they are shown.
type transformation struct {
	ID      string   `json:"id"`
	Options organize `json:"options"`
}

// organize are the options of Grafana's transformation of that name. Those of merge are none.
type organize struct {
	ExcludeByName map[string]bool   `json:"excludeByName,omitempty"`
	IndexByName   map[string]int    `json:"indexByName,omitempty"`
	RenameByName  map[string]string `json:"renameByName,omitempty"`
}

type fieldConfig struct {
	Defaults  field      `json:"defaults"`
	Overrides []override `json:"overrides"`
}

// field is how values are shown.
type field struct {
	Unit       string      `json:"unit,omitempty"`
	Decimals   *int        `json:"decimals,omitempty"`
	Min        *float64    `json:"min,omitempty"`
	Max        *float64    `json:"max,omitempty"`
	NoValue    string      `json:"noValue,omitempty"`
	Color      *color      `json:"color,omitempty"`
	Thresholds *thresholds `json:"thresholds,omitempty"`
	Mappings   []mapping   `json:"mappings,omitempty"`
	Links      []dataLink  `json:"links,omitempty"`
	Custom     custom      `json:"custom,omitempty"`
}

type color struct {
	Mode       string `json:"mode"`
	FixedColor string `json:"fixedColor,omitempty"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

// step is the colour of values from one on; the first is without one.
type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// mapping shows values as words.
type mapping struct {
	Type    string `json:"type"`
	Options any    `json:"options"`
}

// result is what a mapping shows.
type result struct {
	Text  string `json:"text"`
	Color string `json:"color,omitempty"`
	Index int    `json:"index"`
}

// special are the options of a mapping of values that are no numbers.
type special struct {
	Match  string `json:"match"`
	Result result `json:"result"`
}

type dataLink struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	TargetBlank bool   `json:"targetBlank"`
}

// override is what is different for one field.
type override struct {
	Matcher    matcher    `json:"matcher"`
	Properties []property `json:"properties"`
}

type matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}
