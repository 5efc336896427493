package dashboards

import "fmt"

// tag is what the dashboards are found by.
const tag = "layerwatch"

// The dashboards by their uid, which their addresses are made of, so that links and bookmarks last.
const (
	uidOverview  = "layerwatch-overview"
	uidLayers    = "layerwatch-layers"
	uidNetwork   = "layerwatch-network"
	uidFees      = "layerwatch-fees"
	uidBitcoin   = "layerwatch-bitcoin"
	uidEndpoints = "layerwatch-endpoints"
	uidSelf      = "layerwatch-self"
)

// runbook explains every alert.
const runbook = "https://github.com/layerwatch/layerwatch/blob/main/dashboards/RUNBOOK.md"

// newDashboard makes a dashboard of its variables and sections.
func newDashboard(uid, title, description, span string, variables []variable, sections ...section) Dashboard {
	return Dashboard{
		UID: uid, Title: title, Description: description, Tags: []string{tag}, SchemaVersion: schemaVersion,
		Editable: true, GraphTooltip: 1, Timezone: "browser",
		Time: timeRange{From: "now-" + span, To: "now"}, Refresh: "30s",
		Templating:  templating{List: append([]variable{datasourceVariable()}, variables...)},
		Annotations: annotations{List: events()},
		Links:       links(uid),
		Panels:      place(sections),
	}
}

// datasourceVariable chooses the Prometheus that everything is asked from.
func datasourceVariable() variable {
	return variable{
		Name: "datasource", Label: "Data source", Description: "The Prometheus that scrapes layerwatch.",
		Type: "datasource", Query: "prometheus", Refresh: 1,
	}
}

// choice is a variable of the values of a label.
func choice(name, label, description, selector string) variable {
	return variable{
		Name: name, Label: label, Description: description, Type: "query", Datasource: chosen(),
		Query: variableQuery{Query: fmt.Sprintf("label_values(%s, %s)", selector, name), RefID: name},
		// Asked again when the time changes: a network can be new.
		Refresh: 2, Sort: 1,
	}
}

// several lets a variable have many values, all of them at first.
func (v variable) several() variable {
	v.Multi, v.IncludeAll = true, true
	v.Current = &option{Selected: true, Text: []string{"All"}, Value: []string{"$__all"}}
	return v
}

func layerVariable() variable {
	return choice("layer", "Layer", "1: secures itself. 2: settles on a parent of layer 1.",
		namespace+"_network_info").several()
}

// networkVariable chooses networks of the chosen layers.
func networkVariable() variable {
	return choice("network", "Network", "Which networks are shown.",
		namespace+`_network_info{layer=~"$layer"}`).several()
}

func endpointVariable() variable {
	return choice("endpoint", "Endpoint", "Which RPC servers are shown, by their names.",
		namespace+`_endpoint_up{network=~"$network"}`).several()
}

// events are the marks on every time axis. Each query looks at all of the time since the one before it, which is a minute or,
// over a long time, more: nothing falls between two of them.
func events() []annotation {
	mark := func(name, colour, expr, title, text, tags string) annotation {
		return annotation{
			Name: name, Datasource: *chosen(), Enable: true, IconColor: colour, Expr: expr, Step: "60s",
			TitleFormat: title, TextFormat: text, TagKeys: tags,
			Target: &Target{RefID: "Anno", Datasource: chosen(), Expr: expr, Interval: "60s", Range: true, Format: "time_series"},
		}
	}
	alarms := func(name, colour, severity string) annotation {
		return mark(name, colour, "max by (alertname, severity, network) (max_over_time("+firing(severity, ofChosenOrNone)+"[$__interval]))",
			"{{alertname}}", "{{severity}} {{network}}", "alertname,severity,network")
	}
	return []annotation{
		alarms("Critical alerts", act, isCritical),
		alarms("Warnings", watch, isWarning),
		mark("Reorgs", contrast, within("$__rate_interval", "network", "reorgs_total")+" > 0",
			"Reorg", "{{network}}: blocks already counted were replaced", "network"),
		mark("Reloads", calm, "max (changes("+namespace+"_config_last_reload_success_timestamp_seconds[$__rate_interval])) > 0",
			"Configuration loaded", "layerwatch loaded its configuration", ""),
		mark("Reloads refused", watch, "max (min_over_time("+namespace+"_config_last_reload_successful[$__interval]) == bool 0) > 0",
			"Configuration refused", "layerwatch could not load its configuration and goes on with the one before", ""),
	}
}

// links are the ways from a dashboard to the others, always in the same order.
func links(self string) []link {
	var all []link
	for _, to := range []struct{ uid, title, tip string }{
		{uidOverview, "Overview", "Every network at a glance"},
		{uidLayers, "Layers", "Layer 1 and layer 2 side by side"},
		{uidNetwork, "Network", "One network in depth"},
		{uidFees, "Fees", "What it costs now, and when it is cheap"},
		{uidBitcoin, "Bitcoin", "Bitcoin and Lightning"},
		{uidEndpoints, "Endpoints", "The RPC servers that are read"},
		{uidSelf, "layerwatch", "The monitor itself"},
	} {
		l := link{
			Type: "link", Title: to.title, Tooltip: to.tip, URL: "/d/" + to.uid, Icon: "dashboard", Tags: []string{},
			KeepTime: true, IncludeVars: sharesChoice(self, to.uid),
		}
		if !l.IncludeVars {
			l.URL += "?var-datasource=${datasource}"
		}
		if to.uid != self {
			all = append(all, l)
		}
	}
	return append(all, link{
		Type: "link", Title: "Runbook", Tooltip: "What each alert means and what to do", URL: runbook, Icon: "doc", Tags: []string{}, TargetBlank: true,
	})
}

// sharesChoice tells whether the networks chosen in a dashboard are those that another is about, too. What compares
// networks must not be left with one of them: it would be the cheapest, and the last.
func sharesChoice(self, other string) bool { return self == uidNetwork && other == uidEndpoints }

// toNetwork is the address of the dashboard of the network that a cell names.
const toNetwork = "/d/" + uidNetwork + "?var-datasource=${datasource}&var-network=${__value.raw}&${__url_time_range}"
