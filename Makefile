# make            builds bin/flyball
# make demo       the first minute
# make test       every test that this machine can run; tiers that cannot are named
#                 (FLYBALL_REQUIRE_TIERS=all makes every tier mandatory)
SHELL := /bin/bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
UNIT = $(shell go list ./... | grep -v /cmd/internal/e2e)
FUZZ_TIME ?= 20s

.PHONY: packages release image containers kubernetes-rules pgo kills-many outage plugin front panels grafana-shots all build engine demo demos test unit race storage e2e real redteam redteam-table redteam-many kafka kills fuzz bench soak lint vuln fmt clean

all: build

build:
	go build -ldflags "-X main.version=$(VERSION)" -o bin/flyball ./cmd/flyball

# A profile for the compiler (cmd/flyball/default.pgo), of the whole path in a binary that was built without one. None is committed: with it
# two benchmarks of a call take 6 % less CPU (bench/flat.txt), and each build compiles all dependencies again.
PGO_RECORDS ?= 600000
pgo:
	go build -trimpath -pgo=off -o bin/flyball-without-profile ./cmd/flyball
	rm -rf bin/pgo
	go run ./cmd/internal/tools/bench -flyball bin/flyball-without-profile -n $(PGO_RECORDS) -runs 1 -peer=false -profiles bin/pgo
	go tool pprof -proto -output cmd/flyball/default.pgo bin/pgo/cpu-*.pb.gz

engine: build
	bin/flyball engine fetch

demo: build
	bin/flyball demo

# The demo with many seeds: a line for each, and a summary of delays and of clean runs that were denied, each with its calls.
SEEDS ?= 20
FIRST_SEED ?= 1
demos: build
	bin/flyball demo --quick --seed $(FIRST_SEED) --seeds $(SEEDS)

# BESIDE_STORAGE: targets that run as soon as unit has ended, while storage, which takes longest and one core, goes on.
BESIDE_STORAGE ?=

# The last lines say of each tier of the tests whether it ran. The engine that `make demo` fetched is found.
test: export FLYBALL_TIERS_FILE = $(CURDIR)/bin/tiers.tsv
test:
	@mkdir -p bin && rm -f $(FLYBALL_TIERS_FILE)
	@$(MAKE) -j2 --output-sync=target unit storage $(BESIDE_STORAGE) && $(MAKE) -j2 --output-sync=target e2e real; code=$$?; go run ./cmd/internal/tiers/report || exit 1; exit $$code

unit:
	go test -timeout 15m $(UNIT)

# Simulations are of one goroutine and long: they run in unit, and so do packages whose code starts no goroutine; ingest/source and
# detect/engine call it from many. Storms and kills of alerts/pager run in unit alone: with -race they take many minutes.
ONE_GOROUTINE = ^flyball/(ingest/decode|detect/(stitch|score|feature|evaluate|playbook|policy|curve|model/.*)|schema/(route|wire).*)$$
race:
	go test -race -timeout 25m -skip 'Refits|Simulat|Poisoner|LongTask|OwnRate' \
	  $$(go list ./schema/... ./detect/... ./ingest/... | grep -Ev '$(ONE_GOROUTINE)') \
	  ./alerts/incident ./alerts/message ./alerts/notify ./alerts/sent ./alerts/sequence ./alerts/siem \
	  ./cmd/internal/config ./cmd/internal/app ./cmd/internal/embedded/broker ./cmd/internal/replay
	go test -race -timeout 5m -skip 'Storm|Kill|Thousand' ./alerts/pager

# The second line is the cluster form of the tables, as one shard: the tests of what differs between the forms.
CLUSTER_TESTS = ViewDoesNotAnswer MigrationFromAReleasedStateFails NewColumnDoesNotReachItsView \
	RowsOfVersion4AreLostOrCountedTwiceAfterUpgrade EmptyTablesOfVersion4StayForEver ConfiguredRetentionIsNotThatOfTheTables \
	PostingsOfADatabaseFromBeforeExpireWithCalls ExpiredRowsAreKeptOrOthersExpire ReportOnExpiredCallsIsComplete \
	RunsViewKeepsAnOldSnapshot TouchesAndStitchingDoubleOnRepeat CountsDifferFromTheirCalls RebalanceInTheMiddle \
	PurgeLeavesRowsOrTakesThoseOfOthers PurgeTakesWhatAHoldKeeps RunOfSeveralPrincipalsLosesItsScoresSilently \
	KilledPurgeDoesNotGoOn UpgradeFromVersion6LosesRowsOrReadsAllStatesForALevel DayThatIsOverStaysInSeveralParts \
	UpgradeFromVersion7LosesRowsOrItsIndexOfRuns ListedRunIsDescribedDifferentlyThanByItsID RunsOfAWindowDifferFromThoseOfTheView
empty :=
space := $(empty) $(empty)
storage:
	go test -timeout 50m -count=1 ./cmd/internal/e2e/storage
	FLYBALL_TEST_CLUSTER=one go test -timeout 12m -count=1 ./cmd/internal/e2e/storage -run '^Test($(subst $(space),|,$(strip $(CLUSTER_TESTS))))$$'

e2e:
	go test -timeout 30m -count=1 ./cmd/internal/e2e -skip 'TestReal|TestBrokerAway|TestKilled|TestEngineKilled|TestMeasure'

# These tests wait for most of their time, as those of e2e do: both run at the same time.
real:
	$(MAKE) containers redteam kafka kills

# The rules of Prometheus as an object of the Prometheus Operator.
kubernetes-rules:
	{ printf '%s\n' "# Written by \`make kubernetes-rules\` from alerts/rules/flyball.yaml." "apiVersion: monitoring.coreos.com/v1" \
	  "kind: PrometheusRule" "metadata: {name: flyball}" "spec:"; sed -n '/^groups:/,$$p' alerts/rules/flyball.yaml | sed 's/^\(.\)/  \1/'; } \
	  > deploy/kubernetes/monitoring/rules.yaml

# Attacks on enforcement, against the check alone and behind real gateways; a share of the made-up requests.
redteam:
	go test -timeout 8m -count=1 ./cmd/internal/e2e/redteam

# The same with Traefik, and the table of deploy/README.md and the list of known failures written anew.
redteam-table:
	FLYBALL_TEST_TRAEFIK=1 go test -timeout 12m -count=1 ./cmd/internal/e2e/redteam -run 'TestAttacks|TestFiles' -update

# A million made-up requests to the check alone, ten thousand through each gateway: by hand.
redteam-many:
	FLYBALL_FUZZ_CHECK=1000000 FLYBALL_FUZZ_GATEWAY=10000 go test -timeout 60m -count=1 -v ./cmd/internal/e2e/redteam -run TestMadeUp

kafka:
	go test -timeout 14m -count=1 ./cmd/internal/e2e -run 'TestReal|TestBrokerAway'

kills:
	go test -timeout 6m -count=1 ./cmd/internal/e2e -run 'TestKilled|TestEngineKilled' -v

# Fifty kills, of the process with its broker, of the engine, and of processes with single roles beside it: by hand.
KILLS ?= 50
kills-many:
	FLYBALL_TEST_KILLS=$(KILLS) FLYBALL_TEST_KILL_ROLES=1 go test -timeout 60m -count=1 ./cmd/internal/e2e -run 'TestKilledUnderLoad' -v

# ClickHouse away, and then slow, for OUTAGE each under RATE calls a second: by hand. Figures: cmd/internal/tools/bench/outage.txt.
OUTAGE ?= 5m
RATE ?= 10000
outage:
	FLYBALL_TEST_OUTAGE=$(OUTAGE) FLYBALL_TEST_RATE=$(RATE) go test -timeout 60m -count=1 ./cmd/internal/e2e -run 'TestClickHouseAwayAndSlow' -v

# Every fuzz target of every package, FUZZ_TIME each, FUZZ_JOBS at once with one worker each. When its time is over while it minimises an
# input, Go's fuzzer can end with "context deadline exceeded", which is no fault of the target: without a failing input it runs once more.
FUZZ_JOBS ?= 2
fuzz:
	@set -eo pipefail; go list ./schema/... ./ingest/... ./detect/... ./alerts/... ./dashboards/... ./cmd/internal/embedded/... | while read -r pkg; do \
	  go test -list 'Fuzz.*' $$pkg | sed -n "s|^Fuzz.*|$$pkg &|p"; done | xargs -r -P $(FUZZ_JOBS) -n 2 sh -c 'for again in yes no; do \
	  out=$$(go test -run "^$$" -fuzz "^$$1$$" -fuzztime $(FUZZ_TIME) -parallel 1 $$0 2>&1) && { echo "ok $$0 $$1"; exit 0; }; \
	  case "$$again $$out" in "no "*|*"Failing input written"*) break ;; esac; echo "again $$0 $$1: no failing input"; done; \
	  echo "FAIL $$0 $$1"; echo "$$out"; exit 255'

bench: build
	go test -run '^$$' -bench . -benchmem ./schema/... ./detect/... ./ingest/decode ./ingest/store
	go run ./cmd/internal/tools/bench

# Ordinary runs at a steady rate, a row every ten seconds, and whether CPU, memory and lag stay flat after the first gap and the
# quarter of an hour for which closed runs are kept. An hour with a restart, by hand: make soak SOAK=1h RATE=10000 SOAK_FLAGS=-restart
SOAK ?= 30m
RATE ?= 3000
SOAK_FLAGS ?=
soak: build
	go run ./cmd/internal/tools/bench -soak $(SOAK) -rate $(RATE) $(SOAK_FLAGS)

# The Grafana data source, ready to be put into Grafana's plugin folder: bin/grafana/PLUGIN and bin/grafana/dashboards.
# module.js is not committed: it is minified, which nobody can review, and its build needs two small packages and a second.
PLUGIN := flyball-flyball-datasource
FRONT := dashboards/front
FLYBALL_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/flyball
NPM_CI = npm ci --cache $(FLYBALL_CACHE)/npm --prefer-offline --ignore-scripts --no-progress --silent
plugin:
	[ -d $(FRONT)/node_modules/esbuild ] || (cd $(FRONT) && $(NPM_CI) --omit=dev)
	cd $(FRONT) && npm run --silent build
	rm -rf bin/grafana && mkdir -p bin/grafana/$(PLUGIN) bin/grafana/dashboards
	cp -r $(FRONT)/dist/* LICENSE bin/grafana/$(PLUGIN)/
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/grafana/$(PLUGIN)/gpx_flyball_$$(go env GOOS)_$$(go env GOARCH) ./cmd/gpx_flyball
	cp dashboards/json/*.json bin/grafana/dashboards/

# Every package of the front, installed again when the list of them changes.
$(FRONT)/node_modules/.complete: $(FRONT)/package.json $(FRONT)/package-lock.json
	cd $(FRONT) && $(NPM_CI)
	touch $@

# The front: types, lint, unit tests, and the built module as Grafana loads it (real SystemJS, real @grafana packages, headless Chromium).
front: $(FRONT)/node_modules/.complete
	cd $(FRONT) && npm run --silent typecheck && npm run --silent lint && npm test --silent
	cd $(FRONT) && npm run --silent build && npm run --silent test:browser && npm run --silent test:shots

# Draws the dashboards with Grafana's own components at 1280 px, with the answers to a stored story, to hostile names of one tenant in a year,
# of an empty database, and of one that is away. Fails as grafana-shots does, on cut text and on what axe calls serious; node graph, trace and logs are in no package and are only
# counted. Then the buttons are pressed with the keyboard alone, through the built plugin, against a control API.
# RUNNING=HOST:PORT,URL: also with the answers of a running Flyball, by the addresses of its ClickHouse and, after a comma, its control API.
PANELS := bin/grafana/panels
RUNNING ?=
panels: $(FRONT)/node_modules/.complete
	rm -rf $(PANELS)
	FLYBALL_RUNNING=$(RUNNING) FLYBALL_ANSWERS=$(CURDIR)/$(PANELS) go test -count=1 ./cmd/gpx_flyball \
		-run '^(TestDashboardOfARunningFlyballHasAnError|TestPanelHasNothingToShow|TestPanelHidesThatTheDatabaseIsAway|TestDashboardOfATenantWithAHostileAgentBreaks|TestEmptyDatabaseBreaksADashboard|TestButtonInAPageDoesNothingOrTooMuch)$$'
	cd $(FRONT) && npm run --silent test:panels -- $(CURDIR)/$(PANELS) $(CURDIR)/$(PANELS)/pictures

# Drives a Grafana (12 or newer) that has the plugin and the dashboards: URL=http://user:password@host:3000
# Fails on a panel with an error, without data and without a sentence, or with a column that is cut; keeps whole pictures.
grafana-shots:
	@test -n "$(URL)" || { echo "make grafana-shots URL=http://user:password@host:3000"; exit 2; }
	$(MAKE) $(FRONT)/node_modules/.complete
	cd $(FRONT)/test && node shots.mjs "$(URL)" "$(CURDIR)/bin/grafana/shots"

# What is published, in bin/release: .deb and .tar.gz; with the binary, a list of components and checksums. The same commit gives the same bytes.
packages release:
	deploy/package/release.sh $@ bin/release

# Images flyball and flyball-engine: CONTAINER=docker BASE=debian:12-slim BUILD_FLAGS=… ENGINE=no
image: packages
	deploy/image/build.sh bin/release bin/image

# The files of deploy/image, compose, systemd and package; with podman and an image (FLYBALL_TEST_IMAGE), a container as well.
containers:
	go test -timeout 3m -count=1 ./cmd/internal/e2e/containers

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || (echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1)
	go vet ./...
	go vet -tags failpoints ./cmd/internal/app
	go tool staticcheck ./...
	go test -count=1 ./cmd/internal/layout -run Lines

vuln:
	@go tool govulncheck ./... || { code=$$?; if [ $$code -eq 3 ]; then exit 3; fi; echo "SKIPPED govulncheck: its database cannot be reached from here (exit $$code)"; }

fmt:
	gofmt -w $$(git ls-files '*.go')

clean:
	rm -rf bin
