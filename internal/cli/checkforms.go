package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/doorward/doorward/internal/problem"
)

// writeGitHub prints problems as commands of GitHub's workflows, which shows them
// at the lines of a change.
func writeGitHub(w io.Writer, l problem.List) error {
	value := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var b strings.Builder
	for _, p := range l {
		level := "notice"
		if p.Severity != problem.Info {
			level = string(p.Severity)
		}
		fmt.Fprintf(&b, "::%s title=%s", level, property.Replace(p.Code))
		if p.File != "" {
			b.WriteString(",file=" + property.Replace(p.File))
		}
		if p.Line > 0 {
			fmt.Fprintf(&b, ",line=%d", p.Line)
		}
		b.WriteString("::" + value.Replace(explained(p)) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// explained is what is wrong, where, and the remedy.
func explained(p problem.Problem) string {
	s := p.Message
	if p.Object != "" {
		s = p.Object + ": " + s
	}
	if p.Remedy != "" {
		s += "\nfix: " + p.Remedy
	}
	return s
}

// The part of SARIF 2.1.0 that findings need.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical *sarifPlace    `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
	sarifPlace struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

// writeSARIF prints problems as a SARIF log, which code scanners read.
func writeSARIF(w io.Writer, l problem.List) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "doorward", Rules: []sarifRule{}}
	seen := map[string]bool{}
	for _, p := range l {
		if c, ok := problem.Lookup(p.Code); ok && !seen[p.Code] {
			seen[p.Code] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{c.Slug, sarifText{c.Title}})
		}
		run.Results = append(run.Results, sarifOf(p))
	}
	return writeJSON(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func sarifOf(p problem.Problem) sarifResult {
	level := "note"
	if p.Severity != problem.Info {
		level = string(p.Severity)
	}
	r := sarifResult{RuleID: p.Code, Level: level, Message: sarifText{explained(p)}}
	var at sarifLocation
	if p.File != "" {
		at.Physical = &sarifPlace{}
		at.Physical.Artifact.URI = p.File
		if p.Line > 0 {
			at.Physical.Region = &sarifRegion{p.Line}
		}
	}
	if p.Object != "" {
		at.Logical = []sarifLogical{{p.Object}}
	}
	if at.Physical != nil || at.Logical != nil {
		r.Locations = []sarifLocation{at}
	}
	return r
}
