package shop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Starts mockforge-tui for a class of tests, and resets it before each of them. */
final class MockForge implements BeforeAllCallback, BeforeEachCallback, AfterAllCallback {
  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final List<String> words;
  private Process process;
  private String ready;

  MockForge(String... words) {
    this.words = List.of(words);
  }

  @Override
  public void beforeAll(ExtensionContext context) throws IOException {
    String program = System.getenv().getOrDefault("MOCKFORGE_COMMAND", "mockforge-tui");
    List<String> command = new ArrayList<>(List.of(program.split(" ")));
    command.addAll(List.of("--headless", "--random-ports"));
    command.addAll(words);
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    ready = new BufferedReader(new InputStreamReader(process.getInputStream())).readLine();
    if (ready == null) {
      throw new IOException("mockforge-tui ended before it was ready");
    }
  }

  @Override
  public void beforeEach(ExtensionContext context) throws Exception {
    post("/reset", "");
  }

  @Override
  public void afterAll(ExtensionContext context) throws Exception {
    process.destroy();
    process.waitFor();
  }

  /** What the ready line says: {@code address("amqp", "url")}. */
  String address(String section, String name) {
    Pattern pattern =
        Pattern.compile('"' + section + "\":\\{[^}]*?\"" + name + "\":\"([^\"]*)\"");
    Matcher found = pattern.matcher(ready);
    if (!found.find()) {
      throw new IllegalArgumentException(section + " has no " + name + ": " + ready);
    }
    return found.group(1);
  }

  /** Publish as if a client had: {@code {"to": {"amqp": "queue"}, "value": {}}}. */
  void publish(String message) throws Exception {
    post("/messages", message);
  }

  /** Wait for what is expected, in the words of scenarios; fails with all there is to say. */
  String expect(String expectation) throws Exception {
    return post("/messages/wait", expectation);
  }

  private String post(String path, String body) throws Exception {
    URI address = URI.create(address("admin", "url") + path);
    HttpRequest request =
        HttpRequest.newBuilder(address).POST(BodyPublishers.ofString(body)).build();
    var response = http.send(request, BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new AssertionError(response.body().replace("\\n", "\n"));
    }
    return response.body();
  }
}
