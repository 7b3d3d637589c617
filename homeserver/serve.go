package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"hearth/dnsprimary/certs"
	"hearth/homeserver/account"
	"hearth/homeserver/clientapi"
	"hearth/homeserver/clientsync"
	"hearth/homeserver/directory"
	"hearth/homeserver/e2ee"
	"hearth/homeserver/notice"
	"hearth/homeserver/operator"
	"hearth/homeserver/presence"
	"hearth/homeserver/push"
	"hearth/homeserver/report"
	"hearth/homeserver/room"
	"hearth/homeserver/search"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/process"
	"hearth/settings"
	"hearth/storage/blob"
	"hearth/storage/socket"
)

// namespace is the homeserver's in the storage program.
const namespace = "homeserver"

func run(ctx context.Context, args []string, std process.Streams) error {
	cfg := defaultSettings()
	rest, err := settings.Load("homeserver", &cfg, args, std.Out)
	if err != nil {
		return err
	}
	if len(rest) > 0 && rest[0] == "admin" {
		return operator.Run(ctx, cfg.AdminSocket, rest[1:], std)
	}
	if len(rest) > 0 {
		return &settings.Error{Err: fmt.Errorf("unknown argument %q (homeserver -h shows the settings)", rest[0])}
	}
	if err := cfg.check(); err != nil {
		return err
	}
	log := process.Logger(std.Err, cfg.LogLevel)
	debug.SetMemoryLimit(int64(cfg.MemoryLimit))
	debug.SetGCPercent(50)
	client, err := socket.Dial(ctx, cfg.StorageSocket, namespace, socket.ClientOptions{Outage: time.Minute})
	if err != nil {
		return fmt.Errorf("reaching storage: %w", err)
	}
	defer client.Close()
	s, err := assemble(ctx, &cfg, client, log)
	if err != nil {
		return err
	}
	defer s.close()
	return s.serve(ctx)
}

// server is the homeserver's packages put together.
type server struct {
	cfg     *Settings
	log     *slog.Logger
	store   *store.Store
	rooms   *room.Rooms
	e2ee    *e2ee.E2EE
	present *presence.Tracker // nil: off
	search  *search.Index
	syncer  *clientsync.Syncer
	people  *directory.People
	certs   *certs.Certificates // nil if HTTPS is not served
	api     *clientapi.API
}

// assemble builds the packages over a namespace of the store, in the order of the layout.
func assemble(ctx context.Context, cfg *Settings, backend blob.Store, log *slog.Logger) (*server, error) {
	st, err := store.Open(ctx, backend, store.Options{EventCache: int(cfg.EventCache), NodeCache: int(cfg.StateCache), Log: log})
	if err != nil {
		return nil, fmt.Errorf("opening the homeserver's records: %w", err)
	}
	name := matrix.ServerName(cfg.ServerName)
	signer, err := identity(ctx, st, name)
	if err != nil {
		st.Close()
		return nil, err
	}
	certificates, err := openCertificates(ctx, cfg, backend, log)
	if err != nil {
		st.Close()
		return nil, err
	}
	accounts := account.New(st, account.Options{Server: name, Reserved: cfg.notices.User, Lifetime: cfg.AccessTokenLifetime})
	rooms := room.New(st, accounts, room.Options{Signer: signer, Now: time.Now, Rand: rand.Reader, ForgetOnLeave: cfg.ForgetOnLeave})
	reader := timeline.New(st, accounts)
	finder := search.New(st, accounts, reader, search.Options{Log: log})
	devices := e2ee.New(st, accounts, e2ee.Options{})
	pushes := push.New(st, accounts, log)
	var present *presence.Tracker
	if cfg.Presence {
		present = presence.New(st, presence.Options{Log: log})
	}
	syncer := clientsync.New(st, accounts, reader, devices, pushes, clientsync.Options{Log: log, Presence: present})
	people := directory.NewPeople(st, accounts, log)
	return &server{
		people: people, cfg: cfg, log: log, store: st, rooms: rooms, e2ee: devices, present: present, search: finder, syncer: syncer, certs: certificates,
		api: &clientapi.API{
			Settings: clientapi.Settings{
				Server: name, PublicURL: cfg.PublicURL, Open: cfg.Registration == "open",
				Invited: cfg.Registration == "token", Terms: cfg.Terms, Support: cfg.Support, LoginTokens: cfg.LoginTokens,
				RegistrationSecret: cfg.RegistrationSecret, Limits: cfg.limits(), Proxies: cfg.proxies,
				Turn:           cfg.turn,
				SearchAllUsers: cfg.SearchAllUsers,
				ForgetOnLeave:  cfg.ForgetOnLeave, EncryptRooms: cfg.EncryptRooms,
			},
			Store: st, Accounts: accounts, Rooms: rooms, Timeline: reader, Directory: directory.New(st), People: people,
			E2EE: devices, Push: pushes, Presence: present, Search: finder, Sync: syncer, Reports: report.New(st, time.Now),
			Notices: notice.New(st, accounts, rooms, cfg.notices), Log: log, Now: time.Now,
		},
	}, nil
}

func (s *server) close() {
	if s.certs != nil {
		s.certs.Close()
	}
	s.syncer.Close()
	s.people.Close()
	if s.present != nil {
		s.present.Close()
	}
	s.search.Close()
	s.store.Close()
}

// serve answers requests until ctx ends, then lets those under way end.
func (s *server) serve(ctx context.Context) error {
	ended := make(chan error, 4+2*len(s.cfg.TLS.Listen)) // one for whatever serves
	front := &front{log: s.log, handler: s.api.Handler(), ended: ended}
	end := func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
		defer cancel()
		front.close(patience)
	}
	if err := s.listen(front); err != nil {
		end()
		return err
	}
	admin, err := s.serveAdmin(ended)
	if err != nil {
		end()
		return err
	}
	upkeep, stop := context.WithCancel(ctx)
	defer stop()
	var kept sync.WaitGroup
	kept.Go(func() { s.upkeep(upkeep) })
	kept.Go(func() { process.GiveBack(upkeep) })
	kept.Go(func() { s.finishDeletions(upkeep) })
	kept.Go(func() { s.api.FollowDepartures(upkeep) })
	kept.Go(func() { s.api.Accounts.KeepSeen(upkeep, s.unwritten) })
	if err := process.Ready(); err != nil {
		s.log.Warn("telling the supervisor that the server is ready", "err", err)
	}
	select {
	case err = <-ended:
	case <-s.store.Lost():
		err = errors.New("another homeserver has opened the same store")
	case <-ctx.Done():
		err = nil
	}
	stop()
	kept.Wait()
	s.syncer.Close() // answers those who wait
	end()
	if admin != nil {
		admin.Close()
	}
	if err != nil {
		return fmt.Errorf("serving clients: %w", err)
	}
	return nil
}

// unwritten logs that it could not be written when devices were last seen.
func (s *server) unwritten(err error) { s.log.Warn("writing when devices were last seen", "err", err) }

// listen opens the doors for clients.
func (s *server) listen(f *front) error {
	if err := f.plain(s.cfg.Listen); err != nil {
		return err
	}
	for _, address := range s.cfg.TLS.Listen {
		if err := f.secure(address, s.certs); err != nil {
			return err
		}
	}
	return nil
}

// upkeepPause is the time between two rounds of upkeep, and upkeepPage how many rows one step removes.
const (
	upkeepPause = time.Hour
	upkeepPage  = 500
)

// finishDeletions goes on with the deletion of rooms, those that an earlier run of the program left too, until ctx ends.
func (s *server) finishDeletions(ctx context.Context) {
	administration := s.administration()
	for {
		again := time.Hour
		if err := administration.FinishDeletions(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("deleting rooms", "err", err)
			again = time.Minute
		}
		timer := time.NewTimer(again)
		select {
		case <-s.rooms.Deleting():
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// upkeep removes what is kept for a time only, until ctx ends.
func (s *server) upkeep(ctx context.Context) {
	ticker := time.NewTicker(upkeepPause)
	defer ticker.Stop()
	for {
		if _, err := s.rooms.ShowProfiles(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("showing changed profiles in rooms", "err", err)
		}
		for _, prune := range []func(context.Context, int) (int, error){s.rooms.Prune, s.e2ee.Prune} {
			for {
				n, err := prune(ctx, upkeepPage)
				if err != nil && ctx.Err() == nil {
					s.log.Warn("removing old transactions", "err", err)
				}
				if err != nil || n < upkeepPage {
					break
				}
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
