package cli

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"rsc.io/script"
	"rsc.io/script/scripttest"
)

// asDoorward makes the test binary the program itself.
const asDoorward = "DOORWARD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asDoorward) != "" {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestStories runs the stories in testdata/script: what a person types, and
// what the program answers.
func TestStories(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	engine := script.NewEngine()
	engine.Cmds = scripttest.DefaultCmds()
	engine.Conds = scripttest.DefaultConds()
	engine.Cmds["doorward"] = script.Program(self, nil, 0)
	engine.Cmds["exits"] = exits(self)
	engine.Cmds["site"] = serveSite()
	env := append(os.Environ(), asDoorward+"=1", "NO_COLOR=1")
	scripttest.Test(t, context.Background(), engine, env, "testdata/script/*.txt")
}

// serveSite serves the files of a directory, and puts HOST:PORT of it into $SITE.
func serveSite() script.Cmd {
	return script.Command(script.CmdUsage{Summary: "serve a directory over HTTP at $SITE", Args: "dir"},
		func(s *script.State, args ...string) (script.WaitFunc, error) {
			if len(args) != 1 {
				return nil, script.ErrUsage
			}
			server := httptest.NewServer(http.FileServer(http.Dir(s.Path(args[0]))))
			context.AfterFunc(s.Context(), server.Close)
			return nil, s.Setenv("SITE", strings.TrimPrefix(server.URL, "http://"))
		})
}

// exits runs the program and wants a certain exit code of it.
func exits(self string) script.Cmd {
	return script.Command(script.CmdUsage{Summary: "run doorward and compare its exit code", Args: "code [args...]"},
		func(s *script.State, args ...string) (script.WaitFunc, error) {
			if len(args) == 0 {
				return nil, script.ErrUsage
			}
			want, err := strconv.Atoi(args[0])
			if err != nil {
				return nil, err
			}
			return func(s *script.State) (stdout, stderr string, err error) {
				cmd := exec.CommandContext(s.Context(), self, args[1:]...)
				cmd.Dir, cmd.Env = s.Getwd(), s.Environ()
				out, err := cmd.Output()
				var exit *exec.ExitError
				if errors.As(err, &exit) {
					stderr, err = string(exit.Stderr), nil
				}
				if got := cmd.ProcessState.ExitCode(); err == nil && got != want {
					err = errors.New("exit code " + strconv.Itoa(got) + ", want " + args[0])
				}
				return string(out), stderr, err
			}, nil
		})
}
