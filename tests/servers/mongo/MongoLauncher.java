import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import java.util.List;

/** Serves MongoDB's wire protocol from one H2 file; arguments: address, port, file. */
public final class MongoLauncher {

    /** The oldest version today's drivers still talk to; the library itself announces less. */
    private static final MongoVersion ANNOUNCED = new MongoVersion() {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }
    };

    private MongoLauncher() {}

    public static void main(String[] arguments) throws InterruptedException {
        IndexedBackend backend = new IndexedBackend(arguments[2]);
        backend.version(ANNOUNCED);
        MongoServer server = new MongoServer(backend);
        // SIGTERM runs this: it closes the clients, then the H2 file, which writes what is not yet on disk.
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        server.bind(arguments[0], Integer.parseInt(arguments[1]));
    }
}
