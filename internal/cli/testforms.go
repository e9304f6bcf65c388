package cli

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/suite"
)

// writeTests prints a report as go test does.
func writeTests(w io.Writer, r *suite.Report, verbose, colour bool) error {
	var b strings.Builder
	tests, failed := 0, 0
	for i := range r.Files {
		f := &r.Files[i]
		for j := range f.Results {
			writeTest(&b, f, &f.Results[j], verbose, colour)
		}
		tests, failed = tests+len(f.Results), failed+f.Failed()
		writeFile(&b, f, colour)
	}
	if len(r.Files) > 1 {
		fmt.Fprintf(&b, "%s in %s, %d failed\n", count(tests, "test"), count(len(r.Files), "file"), failed)
	}
	writeCoverage(&b, r.Coverage)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCoverage prints what no test touches, a file at a time.
func writeCoverage(b *strings.Builder, c *suite.Coverage) {
	if c == nil {
		return
	}
	for i := range c.Files {
		f := &c.Files[i]
		fmt.Fprintf(b, "%5.1f%%  %s  %d of %s\n", suite.Percent(f.Touched, f.Rules), f.File, f.Touched, count(f.Rules, "rule"))
		for _, r := range f.Missed {
			fmt.Fprintf(b, "        %s: no test touches the %s %s  (%s %s)\n", r.Origin.Origin, r.What, r.Text, r.Ref, r.Field)
		}
	}
	touched, rules := c.Total()
	fmt.Fprintf(b, "%5.1f%%  of all  %d of %s\n", suite.Percent(touched, rules), touched, count(rules, "rule"))
}

// writeTest prints a test: the differences, who decided, and how to ask again.
func writeTest(b *strings.Builder, f *suite.FileReport, t *suite.Result, verbose, colour bool) {
	place := fmt.Sprintf("%s:%d", f.Name, t.Line)
	if len(t.Differences) == 0 {
		if verbose {
			fmt.Fprintf(b, "%s %s: %s\n", painted("--- PASS:", "32", colour), place, t.Name)
		}
		if verbose && t.Unplayed != "" {
			fmt.Fprintf(b, "    only walked: %s\n", t.Unplayed)
		}
		return
	}
	fmt.Fprintf(b, "%s %s: %s\n    %s %s%s\n", painted("--- FAIL:", "31", colour), place, t.Name, t.Method, t.URL, asWhom(t.Test))
	for _, d := range t.Differences {
		fmt.Fprintf(b, "    %s:%d: %s: got %s, want %s\n", f.Name, d.Line, d.Of, d.Got, d.Want)
	}
	if t.Outcome.Reason != "" {
		fmt.Fprintf(b, "    because  %s\n    decided  %s\n", t.Outcome.Reason, decidedBy(&t.Outcome))
	}
	for _, a := range t.Assumed {
		fmt.Fprintf(b, "    assumed  %s\n", a)
	}
	fmt.Fprintf(b, "    explain  %s\n", f.Set.Explain(t.Test))
}

// writeFile prints the line of a file.
func writeFile(b *strings.Builder, f *suite.FileReport, colour bool) {
	took := fmt.Sprintf("%.2fs", f.Took.Seconds())
	if f.Err != nil {
		fmt.Fprintf(b, "%s  %s  %s\n    %v\n", painted("FAIL", "31", colour), f.Name, took, f.Err)
		return
	}
	n := count(len(f.Results), "test")
	if walked := f.OnlyWalked(); walked > 0 {
		n += fmt.Sprintf(" (%d only walked)", walked)
	}
	if failed := f.Failed(); failed > 0 {
		fmt.Fprintf(b, "%s  %s  %s, %d failed  %s\n", painted("FAIL", "31", colour), f.Name, n, failed, took)
		if errors := f.Set.Problems.Count(problem.Error); errors > 0 {
			fmt.Fprintf(b, "    %s in its manifests: doorward check %s\n", count(errors, "error"), f.Set.Flags())
		}
		return
	}
	fmt.Fprintf(b, "%s    %s  %s  %s\n", painted("ok", "32", colour), f.Name, n, took)
}

// asWhom is " as NAME", or "" for anybody.
func asWhom(t *suite.Test) string {
	if t.As == nil {
		return ""
	}
	return " as " + t.As.Name
}

// decidedBy names the rule that decided.
func decidedBy(o *scenario.Outcome) string {
	if o.By == nil || o.By.Ref.Kind == "" {
		return "no rule"
	}
	return o.By.String()
}

func painted(text, code string, colour bool) string {
	if !colour {
		return text
	}
	return "\x1b[1;" + code + "m" + text + "\x1b[0m"
}

// reportJSON is a report for programs. Its members are part of the interface.
type reportJSON struct {
	Tests  int        `json:"tests"`
	Failed int        `json:"failed"`
	Files  []fileJSON `json:"files"`
	// Coverage is there where it was asked for.
	Coverage *coverageJSON `json:"coverage,omitempty"`
}

type coverageJSON struct {
	Percent float64       `json:"percent"`
	Touched int           `json:"touched"`
	Rules   int           `json:"rules"`
	Files   []coveredJSON `json:"files"`
}

type coveredJSON struct {
	File    string       `json:"file"`
	Percent float64      `json:"percent"`
	Touched int          `json:"touched"`
	Rules   int          `json:"rules"`
	Missed  []missedJSON `json:"missed"`
}

type missedJSON struct {
	What   string `json:"what"`
	Rule   string `json:"rule"`
	Object string `json:"object"`
	Field  string `json:"field,omitempty"`
	Line   int    `json:"line"`
}

func coverageOf(c *suite.Coverage) *coverageJSON {
	if c == nil {
		return nil
	}
	touched, rules := c.Total()
	all := &coverageJSON{suite.Percent(touched, rules), touched, rules, []coveredJSON{}}
	for i := range c.Files {
		f := &c.Files[i]
		shown := coveredJSON{f.File, suite.Percent(f.Touched, f.Rules), f.Touched, f.Rules, []missedJSON{}}
		for _, r := range f.Missed {
			shown.Missed = append(shown.Missed, missedJSON{r.What, r.Text, r.Ref.String(), r.Field, r.Origin.Origin.Line})
		}
		all.Files = append(all.Files, shown)
	}
	return all
}

type fileJSON struct {
	File    string     `json:"file"`
	Seconds float64    `json:"seconds"`
	Error   string     `json:"error,omitempty"` // why nothing could be run
	Tests   []testJSON `json:"tests"`
}

type testJSON struct {
	Name        string                `json:"name"`
	Line        int                   `json:"line"`
	Method      string                `json:"method"`
	URL         string                `json:"url"`
	As          string                `json:"as,omitempty"`
	Passed      bool                  `json:"passed"`
	Differences []scenario.Difference `json:"differences,omitempty"`
	Status      int                   `json:"status"`
	Backend     string                `json:"backend,omitempty"`
	Reason      string                `json:"reason"`
	By          string                `json:"by"`
	Unplayed    string                `json:"unplayed,omitempty"` // why --serve could not play it
	Explain     string                `json:"explain"`
}

func testReport(r *suite.Report) reportJSON {
	all := reportJSON{Files: []fileJSON{}, Coverage: coverageOf(r.Coverage)}
	for i := range r.Files {
		f := &r.Files[i]
		shown := fileJSON{File: f.Name, Seconds: f.Took.Seconds(), Tests: []testJSON{}}
		if f.Err != nil {
			shown.Error = f.Err.Error()
		}
		for j := range f.Results {
			t := &f.Results[j]
			shown.Tests = append(shown.Tests, testJSON{
				Name: t.Name, Line: t.Line, Method: t.Method, URL: t.URL, As: strings.TrimPrefix(asWhom(t.Test), " as "),
				Passed: len(t.Differences) == 0, Differences: t.Differences, Status: t.Outcome.Status, Backend: t.Outcome.Backend,
				Reason: t.Outcome.Reason, By: decidedBy(&t.Outcome), Unplayed: t.Unplayed, Explain: f.Set.Explain(t.Test),
			})
		}
		all.Tests, all.Failed = all.Tests+len(f.Results), all.Failed+f.Failed()
		all.Files = append(all.Files, shown)
	}
	return all
}

// The part of JUnit's XML that CI services read.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		File    string       `xml:"file,attr"`
		Line    int          `xml:"line,attr,omitempty"`
		Time    string       `xml:"time,attr"`
		Failure *junitReason `xml:"failure"`
		Error   *junitReason `xml:"error"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit prints a report as JUnit's XML.
func writeJUnit(w io.Writer, r *suite.Report) error {
	var all junitSuites
	for i := range r.Files {
		f := &r.Files[i]
		s := junitSuite{Name: f.Name, Tests: len(f.Results), Failures: f.Failed(), Time: seconds(f.Took)}
		if f.Err != nil {
			s.Tests, s.Errors = 1, 1
			s.Cases = []junitCase{{Name: "manifests", Class: f.Name, File: f.Name, Time: "0", Error: &junitReason{Message: f.Err.Error()}}}
		}
		for j := range f.Results {
			t := &f.Results[j]
			c := junitCase{Name: t.Name, Class: f.Name, File: f.Name, Line: t.Line, Time: "0"}
			if len(t.Differences) > 0 {
				var text strings.Builder
				writeTest(&text, f, t, false, false)
				d := t.Differences[0]
				c.Failure = &junitReason{Message: d.Of + ": got " + d.Got + ", want " + d.Want, Text: text.String()}
			}
			s.Cases = append(s.Cases, c)
		}
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
