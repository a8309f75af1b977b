// The unmodified Go client go-octopusdeploy against the stand-in Octopus server.
//
//	go run . PROGRAM    (PROGRAM: octopus-standin)
//
// Prints "N passed, M failed".
package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/client"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/core"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/deployments"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/environments"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/releases"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/runbooks"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/teams"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/users"
)

const key = "API-GOCLIENT"

var passed, failed int

// try runs one test; a panic of the client is a failure like any other.
func try(name string, body func() error) {
	defer func() {
		if cause := recover(); cause != nil {
			failed++
			fmt.Println("FAILED", name, "panic:", cause)
		}
	}()
	if err := body(); err != nil {
		failed++
		fmt.Println("FAILED", name, err)
		return
	}
	passed++
	fmt.Println("ok", name)
}

func want(found, wanted any) error {
	if fmt.Sprint(found) != fmt.Sprint(wanted) {
		return fmt.Errorf("%v is not %v", found, wanted)
	}
	return nil
}

// start runs a stand-in of a version and answers its address.
func start(program, version string) (*exec.Cmd, *url.URL, error) {
	command := exec.Command(program, "--admin-key", key, "--version", version)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) < 3 {
		return command, nil, fmt.Errorf("the stand-in said %q: %w", line, err)
	}
	address, err := url.Parse(words[2])
	return command, address, err
}

func run(program, version string) error {
	command, address, err := start(program, version)
	if command != nil {
		defer func() { _ = command.Process.Signal(syscall.SIGTERM); _ = command.Wait() }()
	}
	if err != nil {
		return err
	}
	octopus, err := client.NewClient(nil, address, key, "Spaces-1")
	if err != nil {
		return err
	}
	try(version+": the root", func() error {
		root, err := octopus.Root.Get()
		if err != nil {
			return err
		}
		return want(root.Links["Teams"] != "", true)
	})
	try(version+": a user with an identity", func() error { return person(octopus) })
	try(version+": a team with an external group", func() error { return team(octopus) })
	try(version+": a space with the link to its page", func() error {
		space, err := octopus.Spaces.GetByName("Default")
		if err != nil {
			return err
		}
		return want(space.Links["Web"], "/app#/"+space.ID)
	})
	try(version+": an environment", func() error {
		environment, err := environments.Add(octopus, environments.NewEnvironment("Staging"))
		if err != nil {
			return err
		}
		found, err := environments.GetByID(octopus, "Spaces-1", environment.ID)
		if err != nil {
			return err
		}
		return want(found.Name, "Staging")
	})
	try(version+": releases, channels and runbooks of a project", func() error { return project(octopus) })
	try(version+": a release, deployed by names", func() error { return deploy(octopus) })
	try(version+": lists that are empty", func() error { return empty(octopus) })
	return nil
}

func person(octopus *client.Client) error {
	user := users.NewUser("bob", "Bob")
	user.EmailAddress = "bob@example.org"
	claims := map[string]users.IdentityClaim{"email": {Value: "bob@example.org", IsIdentifyingClaim: true}}
	user.Identities = []users.Identity{{IdentityProviderName: "Okta", Claims: claims}}
	made, err := octopus.Users.Add(user)
	if err != nil {
		return err
	}
	if err := want(made.Identities[0].Claims["email"].Value, "bob@example.org"); err != nil {
		return err
	}
	permissions, err := octopus.Users.GetPermissions(made)
	if err != nil {
		return err
	}
	memberships, err := octopus.Users.GetTeams(made)
	if err != nil {
		return err
	}
	return want([]int{len(permissions.Teams), len(*memberships)}, []int{1, 1})
}

func team(octopus *client.Client) error {
	team := teams.NewTeam("Developers")
	team.ExternalSecurityGroups = []core.NamedReferenceItem{{ID: "group-7", DisplayName: "Developers"}}
	me, err := octopus.Users.GetMe()
	if err != nil {
		return err
	}
	team.MemberUserIDs = []string{me.ID}
	made, err := octopus.Teams.Add(team)
	if err != nil {
		return err
	}
	if err := want(made.ExternalSecurityGroups[0].ID, "group-7"); err != nil {
		return err
	}
	_, err = octopus.Users.GetTeams(me)
	return err
}

func project(octopus *client.Client) error {
	orbital, err := octopus.Projects.GetByName("Orbital")
	if err != nil {
		return err
	}
	known, err := octopus.Projects.GetReleases(orbital)
	if err != nil {
		return err
	}
	channels, err := octopus.Projects.GetChannels(orbital)
	if err != nil {
		return err
	}
	books, err := runbooks.List(octopus, "Spaces-1", orbital.ID, "", 30)
	if err != nil {
		return err
	}
	return want([]any{known[0].Version, channels[0].Name, len(books.Items)}, []any{"1.0.0", "Default", 0})
}

func deploy(octopus *client.Client) error {
	release := releases.NewCreateReleaseCommandV1("Spaces-1", "Orbital")
	release.ReleaseVersion = "2.0.0"
	made, err := releases.CreateReleaseV1(octopus, release)
	if err != nil {
		return err
	}
	command := deployments.NewCreateDeploymentUntenantedCommandV1("Spaces-1", "Orbital")
	command.ReleaseVersion = made.ReleaseVersion
	command.EnvironmentNames = []string{"Dev", "Test"}
	done, err := deployments.CreateDeploymentUntenantedV1(octopus, command)
	if err != nil {
		return err
	}
	return want(len(done.DeploymentServerTasks), 2)
}

func empty(octopus *client.Client) error {
	accounts, err := octopus.Accounts.GetAll()
	if err != nil {
		return err
	}
	tenants, err := octopus.Tenants.GetAll()
	if err != nil {
		return err
	}
	machines, err := octopus.Machines.GetAll()
	if err != nil {
		return err
	}
	workers, err := octopus.Workers.GetAll()
	if err != nil {
		return err
	}
	return want([]int{len(accounts), len(tenants), len(machines), len(workers)}, []int{0, 0, 0, 0})
}

func main() {
	if len(os.Args) != 2 {
		fmt.Println("usage: go run . PROGRAM")
		os.Exit(2)
	}
	for _, version := range []string{"2023.1.9626", "2025.4.100"} {
		try(version+": the client starts", func() error { return run(os.Args[1], version) })
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}
